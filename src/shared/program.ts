import type { Environment } from "./io.ts";

/** A program that reads nothing and changes nothing. */
interface Run {
  readonly command: readonly string[];
  readonly env: Environment;
  readonly limitMs: number;
}

interface Ended {
  readonly exitCode: number;
  readonly output: string;
  readonly problem: string;
}

/**
 * Runs a program and reads its output; null when it takes longer than its limit. A process that the program
 * started may keep the pipe open after the program has ended, so the limit covers the reading.
 */
export async function runWithin({ command, env, limitMs }: Run): Promise<Ended | null> {
  const child = Bun.spawn([...command], {
    // No file of a repository is found by its relative name.
    cwd: "/",
    env: { ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const timer = Promise.withResolvers<null>();
  const timeout = setTimeout(() => timer.resolve(null), limitMs);
  try {
    const ended = Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    const all = await Promise.race([ended, timer.promise]);
    return all === null ? null : { output: all[0], problem: all[1], exitCode: all[2] };
  } finally {
    clearTimeout(timeout);
    child.kill("SIGKILL");
    child.unref();
  }
}
