/** Rows per statement, far below the parameter limit of every database. */
export const BATCH = 500;

export function* batches<T>(rows: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < rows.length; start += BATCH) yield rows.slice(start, start + BATCH);
}
