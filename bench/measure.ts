/** Times two programs side by side. Only ratios inside one run mean something: machines and their moods differ. */

/** A program as it is measured: from the start of its process to its end. */
export interface Program {
  readonly command: readonly string[];
  readonly cwd: string;
  /** Its whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Puts back what a run changes; not timed. */
  readonly reset?: () => void;
}

/** How much longer one program takes than another. */
export interface Comparison {
  /** Median time of the first, in ms. */
  readonly milliseconds: number;
  /** Median time of the second, in ms. */
  readonly baselineMilliseconds: number;
  /** Ratio of the medians. */
  readonly ratio: number;
  /** The smallest and the largest ratio of one pair. */
  readonly lowest: number;
  readonly highest: number;
}

const WARM_UP_PAIRS = 3;

/** Runs both programs in turn, `pairs` times each after a warm-up. */
export function compare(program: Program, baseline: Program, pairs: number): Comparison {
  for (let pair = 0; pair < WARM_UP_PAIRS; pair++) {
    time(program);
    time(baseline);
  }
  const times = Array.from({ length: pairs }, () => [time(program), time(baseline)] as const);
  const ratios = times.map(([own, other]) => own / other);
  const milliseconds = median(times.map(([own]) => own));
  const baselineMilliseconds = median(times.map(([, other]) => other));
  return {
    milliseconds,
    baselineMilliseconds,
    ratio: milliseconds / baselineMilliseconds,
    lowest: Math.min(...ratios),
    highest: Math.max(...ratios),
  };
}

/**
 * Runs `program` once.
 *
 * @returns its time in ms
 * @throws when it fails: the time of a failure says nothing
 */
function time({ command, cwd, env, reset }: Program): number {
  reset?.();
  const started = performance.now();
  const { exitCode, stderr } = Bun.spawnSync([...command], { cwd, env: { ...env }, stdin: "ignore" });
  const milliseconds = performance.now() - started;
  if (exitCode === 0) return milliseconds;
  throw new Error(`${command.join(" ")} ended with exit code ${exitCode}: ${stderr.toString()}`);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle) - 1] ?? 0)) / 2;
}
