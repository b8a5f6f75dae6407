import { expect } from "bun:test";
import { join } from "node:path";
import * as v from "valibot";

/** The compiled executable under test; `bun run build` makes it. */
export const BINARY = join(import.meta.dir, "..", "..", "dist", "tracker");

/** How long a run may take before it counts as hung, in ms: less than a test, so that its output is reported. */
export const DEADLINE_MS = 10_000;

/** How to run the executable. */
export interface RunOptions {
  readonly cwd: string;
  /** The whole environment: nothing of the test's own is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** What is piped in; empty by default. */
  readonly stdin?: string;
  /** How long it may take, in ms; {@link DEADLINE_MS} by default. */
  readonly deadline?: number;
}

/** What a run left behind. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs the executable over pipes.
 *
 * @throws when it has not ended in time
 */
export async function runBinary(args: readonly string[], options: RunOptions): Promise<Outcome> {
  return runProgram([BINARY, ...args], options);
}

/** {@link runBinary} for any command line, such as a shell around the executable. */
export async function runProgram(command: readonly string[], options: RunOptions): Promise<Outcome> {
  const child = Bun.spawn([...command], {
    cwd: options.cwd,
    env: { ...options.env },
    stdin: Buffer.from(options.stdin ?? ""),
    stdout: "pipe",
    stderr: "pipe",
  });
  let hung = false;
  const timer = setTimeout(() => {
    hung = true;
    child.kill("SIGKILL");
  }, options.deadline ?? DEADLINE_MS);
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  clearTimeout(timer);
  if (hung) throw new Error(`Hung: ${command.join(" ")}\nstdout: ${stdout}\nstderr: ${stderr}`);
  return { code, stdout, stderr };
}

/** The result that a successful `--json` run printed. */
export function resultOf(outcome: Outcome): unknown {
  expect(outcome).toMatchObject({ code: 0 });
  expect(outcome.stdout).toEndWith("\n");
  return JSON.parse(outcome.stdout);
}

const ErrorReport = v.strictObject({
  error: v.strictObject({
    code: v.string(),
    message: v.string(),
    hint: v.nullable(v.string()),
    retryable: v.boolean(),
    request_id: v.nullable(v.string()),
    details: v.unknown(),
    choices: v.optional(v.array(v.unknown())),
  }),
});

/** The error that a failed `--json` run reported: one JSON object on stderr, nothing on stdout. */
export function errorOf(outcome: Outcome): v.InferOutput<typeof ErrorReport>["error"] {
  expect(outcome.stdout).toBe("");
  expect(outcome.code).not.toBe(0);
  expect(outcome.stderr).toStartWith("{");
  return v.parse(ErrorReport, JSON.parse(outcome.stderr)).error;
}
