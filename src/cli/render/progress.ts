import type { OperationResult } from "../../protocol.ts";
import { count } from "../../shared/text.ts";
import type { Style } from "./style.ts";

/** Draws how far work has come, without an end of line: "Pulling… 1,200 of 4,000 issues". */
export function renderProgress(
  title: string,
  noun: string,
  progress: OperationResult["progress"],
  { glyphs }: Style,
): string {
  const heading = `${title}${glyphs.ellipsis}`;
  if (progress === null) return heading;
  const { done, total } = progress;
  // Work that does not count anything says so for as long as it takes.
  if (total === null) return done === 0 ? heading : `${heading} ${count(done, noun)}`;
  return `${heading} ${done.toLocaleString("en-US")} of ${count(total, noun)}`;
}
