import type { OperationProgress } from "../client.ts";
import { InterruptedError } from "../shared/errors.ts";
import { displayWidth, truncate } from "../shared/text.ts";
import type { Invocation } from "./invocation.ts";
import { renderProgress } from "./render/progress.ts";
import { styleOf } from "./render/style.ts";

/** Between two lines outside of a terminal. */
const PLAIN_INTERVAL_MS = 5_000;

export interface Activity {
  readonly title: string;
  readonly noun: string;
  /** A terminal shows the title before anything is counted. */
  readonly fromStart?: true;
}

export const DISCOVERY: Activity = { title: "Discovering", noun: "resource" };

/**
 * Runs `work` and shows its progress on stderr: in a terminal one line that is rewritten and removed at the end,
 * elsewhere a line now and then, with `--json` nothing.
 */
export async function withProgress<T>(
  { io, context, globals }: Invocation,
  { title, noun, fromStart }: Activity,
  work: (onProgress: (progress: OperationProgress) => void) => Promise<T>,
): Promise<T> {
  if (globals.json) return work(() => {});
  const { stderr } = io;
  const style = await styleOf(io, stderr);
  if (!stderr.isTerminal) {
    let last = Number.NEGATIVE_INFINITY;
    return work((progress) => {
      const now = context.timing.now();
      if (now - last < PLAIN_INTERVAL_MS) return;
      last = now;
      stderr.write(`${renderProgress(title, noun, progress, style)}\n`);
    });
  }
  let width = 0;
  let isOver = false;
  /** Spaces cover the old text, which works in every terminal. */
  const rewrite = (text: string): void => {
    const padding = " ".repeat(Math.max(0, width - displayWidth(text)));
    stderr.write(`\r${text}${padding}${text === "" ? "\r" : ""}`);
    width = displayWidth(text);
  };
  const show = (progress: OperationProgress): void => {
    // Work reports progress until it notices that its wait has ended.
    if (isOver) return;
    const text = renderProgress(title, noun, progress, style);
    rewrite(truncate(text, stderr.columns - 1, style.glyphs.ellipsis));
  };
  // Lines of `--verbose` would run into it.
  if (fromStart === true && !globals.verbose) show(null);
  try {
    const result = await work(show);
    if (width > 0) rewrite("");
    return result;
  } catch (error) {
    // The terminal writes ^C after the line, which stays.
    if (error instanceof InterruptedError) stderr.write("\n");
    else if (width > 0) rewrite("");
    throw error;
  } finally {
    isOver = true;
  }
}
