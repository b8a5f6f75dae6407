/** Writes lines with the fewest signs; where that reads back differently, escapes all and uses HTML tags. */
import { isSameLink, isSameText, type Link, type Run, type TextStyle } from "./adf-runs.ts";
import { ADDRESS, parseInline } from "./markdown-inline.ts";

interface WriteMode {
  readonly signs: (style: TextStyle) => readonly [open: string, close: string];
  readonly escape: (text: string, before: string, isLinkText: boolean) => string;
  readonly lineStart: (line: string) => string;
}

const tag = (name: string) => [`<${name}>`, `</${name}>`] as const;

const TAGS = {
  strong: tag("strong"),
  em: tag("em"),
  strike: tag("s"),
  underline: tag("u"),
  sub: tag("sub"),
  sup: tag("sup"),
} as const;

const signsWith = (em: string) => (style: TextStyle) => {
  switch (style) {
    case "strong":
      return ["**", "**"] as const;
    case "em":
      return [em, em] as const;
    case "strike":
      return ["~~", "~~"] as const;
    case "code":
      return ["", ""] as const;
    default:
      return TAGS[style];
  }
};

const WRITE_MODES: readonly WriteMode[] = [
  ...["*", "_"].flatMap((em) => [
    { signs: signsWith(em), escape: escapedWhereNeeded, lineStart: (line: string) => line },
    { signs: signsWith(em), escape: escapedWhereNeeded, lineStart: escapedStart },
  ]),
  {
    signs: (style) => (style === "code" ? ["", ""] : TAGS[style]),
    escape: (text) => text.replace(/[\\`*_{}[\]()#+\-.!<>~|&:=]/g, "\\$&"),
    lineStart: (line) => line,
  },
];

/** A block's prefix around its lines. */
interface Frame {
  readonly lineBreak: "\n" | "<br>";
  /** Reports whether the text reads back as these runs in its place. Default: by itself. */
  readonly isRead?: (text: string, runs: readonly Run[]) => boolean;
}

export function writeInline(runs: readonly Run[], { lineBreak, isRead = isReadAlone }: Frame): string {
  const written = WRITE_MODES.map((manner) => () => {
    const text = spelled(runs, manner, lineBreak);
    return lineBreak === "\n" ? text.split("\n").map(manner.lineStart).join("\n") : manner.lineStart(text);
  });
  let text = "";
  for (const write of written) {
    text = write();
    if (isRead(text, runs)) break;
  }
  return text;
}

function isReadAlone(text: string, runs: readonly Run[]): boolean {
  return isSameText(parseInline(text), runs);
}

type Opened = TextStyle | Link;

/** The order of decorations that start together, outermost first. */
const ORDER: readonly TextStyle[] = ["strong", "em", "strike", "underline", "sub", "sup", "code"];

function spelled(runs: readonly Run[], manner: WriteMode, lineBreak: string): string {
  const open: Opened[] = [];
  let text = "";
  const closeFrom = (index: number) => {
    for (const opened of open.splice(index).reverse()) {
      text += isLink(opened) ? `](${destination(opened)})` : manner.signs(opened)[1];
    }
  };
  for (const [index, run] of runs.entries()) {
    const ended = open.findIndex((opened) => !has(run, opened));
    if (ended !== -1) closeFrom(ended);
    if (run.text === "\n") {
      text += runs[index + 1]?.text === "\n" ? "<br>" : lineBreak;
      continue;
    }
    const autolink = ownLink(run, runs[index - 1], runs[index + 1]);
    const missing = [...(run.link === null || autolink !== null ? [] : [run.link]), ...run.styles]
      .filter((wanted) => !open.some((opened) => isSameOpened(opened, wanted)))
      .sort((a, b) => extent(runs, index, b) - extent(runs, index, a) || rank(a) - rank(b));
    for (const wanted of missing) {
      text += isLink(wanted) ? (wanted.kind === "image" ? "![" : "[") : manner.signs(wanted)[0];
      open.push(wanted);
    }
    if (autolink !== null) text += autolink;
    else if (run.styles.has("code")) text += codeSpan(run.text);
    else text += manner.escape(run.text, text, run.link !== null);
  }
  closeFrom(0);
  return text;
}

function isLink(opened: Opened): opened is Link {
  return typeof opened !== "string";
}

function isSameOpened(one: Opened, other: Opened): boolean {
  return isLink(one) && isLink(other) ? isSameLink(one, other) : one === other;
}

function has(run: Run, opened: Opened): boolean {
  return isLink(opened) ? isSameLink(run.link, opened) : run.styles.has(opened);
}

function extent(runs: readonly Run[], start: number, opened: Opened): number {
  let end = start;
  for (let run = runs[end]; run !== undefined && has(run, opened); run = runs[end]) end++;
  return end - start;
}

function rank(opened: Opened): number {
  return isLink(opened) ? -1 : ORDER.indexOf(opened);
}

/** A link whose text is its address, without brackets; null for any other run. */
function ownLink(
  { text, link, styles }: Run,
  before: Run | undefined,
  after: Run | undefined,
): string | null {
  const isWhole =
    link !== null && !isSameLink(link, before?.link ?? null) && !isSameLink(link, after?.link ?? null);
  if (!isWhole || link.kind === "image" || link.title !== null || link.href !== text) return null;
  if (styles.has("code")) return null;
  ADDRESS.lastIndex = 0;
  if (ADDRESS.exec(text)?.[0] === text) return text;
  return /^[a-z][a-z0-9+.-]{1,31}:[^\s<>]*$/i.test(text) ? `<${text}>` : null;
}

function destination({ href, title }: Link): string {
  const isBare = href !== "" && !/[\s()<>\\]/.test(href);
  const target = isBare ? href : `<${href.replace(/[<>\\]/g, "\\$&")}>`;
  return title === null ? target : `${target} "${title.replace(/["\\]/g, "\\$&")}"`;
}

function codeSpan(text: string): string {
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  const isPadded = /^`|`$|^ .* $/.test(text) && text.trim() !== "";
  return isPadded ? `${fence} ${text} ${fence}` : fence + text + fence;
}

/** Escapes what would read as a sign, except in addresses. */
function escapedWhereNeeded(text: string, before: string, isLinkText: boolean): string {
  let escaped = "";
  let at = 0;
  for (const { 0: address, index } of text.matchAll(new RegExp(ADDRESS, "g"))) {
    if (/\w$/.test(text.slice(at, index))) continue;
    escaped += escapedSigns(text, at, index, before, isLinkText) + address;
    at = index + address.length;
  }
  return escaped + escapedSigns(text, at, text.length, before, isLinkText);
}

function escapedSigns(text: string, start: number, end: number, before: string, isLinkText: boolean): string {
  let escaped = "";
  for (let at = start; at < end; at++) {
    const char = text.charAt(at);
    const previous = at === 0 ? before.slice(-1) : text.charAt(at - 1);
    const rest = text.slice(at + 1, at + 12);
    escaped += isSign(char, previous, rest, isLinkText) ? `\\${char}` : char;
  }
  return escaped;
}

function isSign(char: string, previous: string, rest: string, isLinkText: boolean): boolean {
  switch (char) {
    case "\\":
      return rest === "" || /^[!-/:-@[-`{-~]/.test(rest);
    case "`":
      return true;
    case "*":
      return !(/^\s?$/.test(previous) && /^\s/.test(rest));
    case "_":
      return !(/^\w$/.test(previous) && /^\w/.test(rest));
    case "~":
      return previous === "~" || rest.startsWith("~");
    case "<":
      return /^[a-z/!?]/i.test(rest);
    case "&":
      return /^(#\w+|[a-z]+);/i.test(rest);
    case "[":
      return isLinkText;
    case "]":
      return isLinkText || rest.startsWith("(");
    default:
      return false;
  }
}

/** A list, rule, heading, quote, table, fence, checkbox, alert or foldable part. */
const BLOCK_START =
  /^([-+*](\s|$)|([-*_]\s*){3,}$|[-=]+\s*$|#{1,6}(\s|$)|>|\||~~~|\[( |x|!\w+)\]|<\/?details)/i;

function escapedStart(line: string): string {
  const number = /^(\d{1,9})([.)])(?=\s|$)/.exec(line);
  if (number !== null) return `${number[1]}\\${line.slice(number[0].length - 1)}`;
  return BLOCK_START.test(line) ? `\\${line}` : line;
}
