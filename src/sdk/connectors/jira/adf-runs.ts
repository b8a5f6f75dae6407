/** The content of a line: text with decorations, the common form of ADF and Markdown. */

export type TextStyle = "strong" | "em" | "strike" | "underline" | "sub" | "sup" | "code";

export interface Link {
  readonly href: string;
  readonly title: string | null;
  readonly kind: "link" | "image";
}

/** Text with one set of decorations. A line break is a run of its own. */
export interface Run {
  readonly text: string;
  readonly styles: ReadonlySet<TextStyle>;
  readonly link: Link | null;
}

export function linkTo(href: string, title: string | null, kind: Link["kind"]): Link {
  const shown = title?.replace(/\s+/g, " ").trim();
  return {
    href: href.replace(/\s/g, encodeURIComponent),
    title: shown === "" ? null : (shown ?? null),
    kind,
  };
}

export const BREAK: Run = { text: "\n", styles: new Set(), link: null };

/** Decorations that Markdown cannot put around outer spaces. */
const TIGHT = ["strong", "em", "strike"] as const;

export function plainRun(text: string): Run {
  return { text, styles: new Set(), link: null };
}

/** The runs in normal form: no outer spaces or breaks, no decoration that code excludes, neighbors joined. */
export function normalized(runs: readonly Run[]): readonly Run[] {
  const lines: Run[][] = [[]];
  for (const run of runs) {
    const [first = "", ...rest] = run.text.split(/\r\n?|\n/);
    lines.at(-1)?.push(...piecesOf(run, first));
    for (const text of rest) lines.push([...piecesOf(run, text)]);
  }
  const trimmed = lines.map((line) => merged(hoisted(withoutOuterSpaces(merged(line)))));
  const start = trimmed.findIndex((line) => line.length > 0);
  if (start === -1) return [];
  const end = trimmed.findLastIndex((line) => line.length > 0);
  return trimmed.slice(start, end + 1).flatMap((line, index) => (index === 0 ? line : [BREAK, ...line]));
}

/** Reports whether two lines read the same; a bare address equals a link to itself. */
export function isSameText(one: readonly Run[], other: readonly Run[]): boolean {
  const [a, b] = [merged(one.map(withoutOwnLink)), merged(other.map(withoutOwnLink))];
  return (
    a.length === b.length && a.every((run, index) => run.text === b[index]?.text && isAlike(run, b[index]))
  );
}

function withoutOwnLink(run: Run): Run {
  const { link } = run;
  return link?.kind === "link" && link.title === null && link.href === run.text
    ? { ...run, link: null }
    : run;
}

/** The decorated parts of a text without breaks. Outer spaces are separate, so that they can lose decorations. */
function piecesOf(run: Run, text: string): readonly Run[] {
  if (text === "") return [];
  if (run.styles.has("code")) return [{ ...run, text, styles: new Set(["code"]) }];
  const styles = run.styles.has("sub") && run.styles.has("sup") ? without(run.styles, ["sup"]) : run.styles;
  const start = text.length - text.trimStart().length;
  const end = Math.max(start, text.trimEnd().length);
  const parts = [text.slice(0, start), text.slice(start, end), text.slice(end)];
  return parts.filter((part) => part !== "").map((part) => ({ ...run, styles, text: part }));
}

function withoutOuterSpaces(line: readonly Run[]): readonly Run[] {
  const [first, ...later] = line;
  if (first === undefined) return line;
  if (isSpace(first)) return withoutOuterSpaces(later);
  const last = line.at(-1);
  if (last !== undefined && isSpace(last)) return withoutOuterSpaces(line.slice(0, -1));
  return line.map((run, index) => {
    if (run.styles.has("code")) return run;
    const text = index === 0 ? run.text.slice(spacesAtStart(run.text)) : run.text;
    return { ...run, text: index === line.length - 1 ? text.slice(0, spacesBefore(text)) : text };
  });
}

export function trimmed(text: string): string {
  const start = text.slice(spacesAtStart(text));
  return start.slice(0, spacesBefore(start));
}

function spacesAtStart(text: string): number {
  let at = 0;
  while (isBlankChar(text.charAt(at))) at++;
  return at;
}

function spacesBefore(text: string): number {
  let at = text.length;
  while (isBlankChar(text.charAt(at - 1))) at--;
  return at;
}

function isBlankChar(char: string): boolean {
  return char === " " || char === "\t";
}

function isSpace({ text, styles }: Run): boolean {
  return !styles.has("code") && trimmed(text) === "";
}

/** Spaces between words keep a decoration only when both words have it. */
function hoisted(line: readonly Run[]): readonly Run[] {
  const parts = line.flatMap((run) => piecesOf(run, run.text));
  return parts.map((run, index) => {
    if (!/^\s+$/.test(run.text) || run.styles.has("code")) return run;
    const neighbors = [parts[index - 1], parts[index + 1]];
    const lost = TIGHT.filter((style) => !neighbors.every((word) => word?.styles.has(style)));
    return { ...run, styles: without(run.styles, lost) };
  });
}

function without(styles: ReadonlySet<TextStyle>, lost: readonly TextStyle[]): ReadonlySet<TextStyle> {
  return styles.difference(new Set(lost));
}

function merged(runs: readonly Run[]): readonly Run[] {
  const result: Run[] = [];
  for (const run of runs) {
    const last = result.at(-1);
    if (last !== undefined && run.text !== "\n" && last.text !== "\n" && isAlike(last, run)) {
      result[result.length - 1] = { ...last, text: last.text + run.text };
    } else if (run.text !== "") result.push(run);
  }
  return result;
}

function isAlike(one: Run, other: Run | undefined): boolean {
  return (
    other !== undefined &&
    one.styles.size === other.styles.size &&
    one.styles.isSubsetOf(other.styles) &&
    isSameLink(one.link, other.link)
  );
}

export function isSameLink(one: Link | null, other: Link | null): boolean {
  return one?.href === other?.href && one?.title === other?.title && one?.kind === other?.kind;
}
