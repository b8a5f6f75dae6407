/** Rows per statement, well below every database's limit of parameters. */
export const BATCH = 500;

/** The rows in portions that fit into one statement. */
export function* batches<T>(rows: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < rows.length; start += BATCH) yield rows.slice(start, start + BATCH);
}
