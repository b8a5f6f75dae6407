import type { Input, Io, Output } from "../shared/io.ts";

/** A question answered by one line of input. */
interface Question {
  readonly question: string;
  /** Null for a valid answer. */
  readonly problemOf: (answer: string) => string | null;
}

/** Asks until an answer is valid; null at the end of the input. */
export async function ask(
  stderr: Output,
  readLine: Input["readLine"],
  { question, problemOf }: Question,
): Promise<string | null> {
  for (;;) {
    stderr.write(question);
    const answer = await readLine();
    if (answer === null) return null;
    const text = answer.trim();
    const problem = problemOf(text);
    if (problem === null) return text;
    stderr.write(`${problem}\n`);
  }
}

/** {@link ask} with the answer shown. */
export function askVisibly(io: Io, question: Question): Promise<string | null> {
  return ask(io.stderr, () => readVisible(io), question);
}

/** An empty answer means no. */
export async function confirm(io: Io, question: string): Promise<boolean> {
  io.stderr.write(`${question} [y/N] `);
  const answer = await readVisible(io);
  return /^y(es)?$/i.test(answer?.trim() ?? "");
}

/** The end of the input leaves the cursor on the line, so the line is ended here. */
async function readVisible({ stdin, stderr }: Io): Promise<string | null> {
  const line = await stdin.readLine();
  if (line === null) stderr.write("\n");
  return line;
}
