import type { OperationResult } from "../../protocol.ts";
import { count } from "../../shared/text.ts";
import type { Style } from "./style.ts";

/** Draws progress without an end of line: "Pulling… 1,200 of 4,000 issues". */
export function renderProgress(
  title: string,
  noun: string,
  progress: OperationResult["progress"],
  { glyphs }: Style,
): string {
  const heading = `${title}${glyphs.ellipsis}`;
  if (progress === null) return heading;
  const { done, total } = progress;
  // Without a count, the title is shown all the time.
  if (total === null) return done === 0 ? heading : `${heading} ${count(done, noun)}`;
  return `${heading} ${done.toLocaleString("en-US")} of ${count(total, noun)}`;
}
