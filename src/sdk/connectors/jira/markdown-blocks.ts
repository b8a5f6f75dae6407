/**
 * Reads Markdown into ADF: CommonMark's blocks (https://spec.commonmark.org/0.31.2/#blocks-and-inlines),
 * GitHub's tables, task lists and alerts, and foldable `<details>`. Jira refuses a whole document for one
 * misplaced node, so a node that ADF's schema does not allow in a place is replaced by the nearest one that
 * it allows. No text is lost.
 */
import type { AdfNode } from "./adf.ts";
import { BREAK, type Run, type TextStyle, trimmed } from "./adf-runs.ts";
import { parseInline } from "./markdown-inline.ts";

type Place = "doc" | "listItem" | "blockquote" | "panel" | "expand" | "nestedExpand";

const LISTS = ["bulletList", "orderedList"];
const COMMON = ["paragraph", "codeBlock", "mediaSingle", ...LISTS];
const RICH = [...COMMON, "heading", "rule", "taskList"];

/** The nodes made here that ADF's schema allows in each place. */
const ALLOWED: Readonly<Record<Place, ReadonlySet<string>>> = {
  doc: new Set([...RICH, "blockquote", "panel", "table", "expand"]),
  expand: new Set([...RICH, "blockquote", "panel", "table", "nestedExpand"]),
  nestedExpand: new Set([...RICH, "blockquote", "panel"]),
  panel: new Set(RICH),
  listItem: new Set([...COMMON, "taskList"]),
  blockquote: new Set(COMMON),
};

/** GitHub's alerts, and two of ADF's own, by the name of ADF's panel. */
export const PANELS: Readonly<Record<string, string>> = {
  info: "NOTE",
  tip: "TIP",
  note: "IMPORTANT",
  warning: "WARNING",
  error: "CAUTION",
  success: "SUCCESS",
};

const FENCE = /^( {0,3})(`{3,}|~{3,})([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})(?=[ \t]|$)(.*)$/;
const RULE = /^ {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$/;
const UNDERLINE = /^ {0,3}(=+|-+)[ \t]*$/;
const QUOTE = /^ {0,3}> ?/;
const ALERT = /^\[!(\w+)\][ \t]*$/;
const ITEM = /^( {0,3})([-*+]|(\d{1,9})([.)]))(?:([ \t]+)(.*)|$)/;
const TASK = /^\[([ xX])\][ \t]+/;
const DETAILS = /^<details>[ \t]*(?:<summary>(.*)<\/summary>)?[ \t]*$/i;
const SUMMARY = /^<summary>(.*)<\/summary>[ \t]*$/i;
const DETAILS_END = /^<\/details>[ \t]*$/i;
const DELIMITERS = /^ {0,3}\|?(?:[ \t]*:?-+:?[ \t]*\|)+(?:[ \t]*:?-+:?[ \t]*)?$/;

export function parseBlocks(markdown: string): readonly AdfNode[] {
  return new BlockReader(markdown.split(/\r\n?|\n/), "doc").read();
}

class BlockReader {
  readonly #lines: readonly string[];
  readonly #place: Place;
  readonly #nodes: AdfNode[] = [];
  #at = 0;

  constructor(lines: readonly string[], place: Place) {
    this.#lines = lines;
    this.#place = place;
  }

  read(): readonly AdfNode[] {
    while (this.#at < this.#lines.length) {
      if (isBlank(this.#line)) this.#at++;
      else this.#put(this.#block() ?? this.#paragraph());
    }
    return this.#nodes;
  }

  get #line(): string {
    return this.#lines[this.#at] ?? "";
  }

  #put(node: AdfNode): void {
    this.#nodes.push(...fitted(node, this.#place));
  }

  #block(): AdfNode | null {
    const line = this.#line;
    if (/^( {4}|\t)/.test(line)) return this.#indentedCode();
    const fence = FENCE.exec(line);
    if (fence !== null) return this.#fencedCode(fence);
    const heading = HEADING.exec(line);
    if (heading !== null) {
      this.#at++;
      const text = trimmed(heading[2] ?? "").replace(/(^|[ \t])#+$/, "");
      return headingOf(heading[1]?.length ?? 1, trimmed(text));
    }
    if (RULE.test(line)) {
      this.#at++;
      return { type: "rule" };
    }
    if (QUOTE.test(line)) return this.#quote();
    return this.#details() ?? this.#table() ?? this.#list();
  }

  #indentedCode(): AdfNode {
    const start = this.#at;
    while (isBlank(this.#line) ? this.#at < this.#lines.length : /^( {4}|\t)/.test(this.#line)) this.#at++;
    const lines = this.#lines.slice(start, this.#at).map((line) => dedented(line, 4));
    return codeBlock(withoutOuterBlanks(lines).join("\n"), "");
  }

  #fencedCode([, indent = "", fence = "", language = ""]: RegExpExecArray): AdfNode {
    const end = new RegExp(`^ {0,3}${fence.charAt(0)}{${fence.length},}[ \\t]*$`);
    const lines: string[] = [];
    for (this.#at++; this.#at < this.#lines.length && !end.test(this.#line); this.#at++) {
      lines.push(this.#line.replace(new RegExp(`^ {0,${indent.length}}`), ""));
    }
    this.#at++;
    return codeBlock(lines.join("\n"), trimmed(language));
  }

  #quote(): AdfNode {
    const lines: string[] = [];
    for (; QUOTE.test(this.#line); this.#at++) lines.push(this.#line.replace(QUOTE, ""));
    const alert = ALERT.exec(lines[0] ?? "")?.[1]?.toUpperCase();
    const panelType = Object.entries(PANELS).find(([, name]) => name === alert)?.[0];
    if (panelType === undefined) {
      return { type: "blockquote", content: nonEmptyBlocks(new BlockReader(lines, "blockquote").read()) };
    }
    const content = nonEmptyBlocks(new BlockReader(lines.slice(1), "panel").read());
    return { type: "panel", attrs: { panelType }, content };
  }

  #details(): AdfNode | null {
    const opening = DETAILS.exec(this.#line);
    if (opening === null) return null;
    const own = opening[1] === undefined ? SUMMARY.exec(this.#lines[this.#at + 1] ?? "") : null;
    const start = this.#at + (own === null ? 1 : 2);
    const length = detailsLength(this.#lines.slice(start));
    if (length === null) return null;
    this.#at = start + length + 1;
    const title = parseInline(own?.[1] ?? opening[1] ?? "").map(({ text }) => text);
    const type = this.#place === "doc" ? "expand" : "nestedExpand";
    const content = new BlockReader(this.#lines.slice(start, start + length), type).read();
    return { type, attrs: { title: title.join("").replaceAll("\n", " ") }, content: nonEmptyBlocks(content) };
  }

  #table(): AdfNode | null {
    const header = cellsOf(this.#line);
    const delimiters = this.#lines[this.#at + 1] ?? "";
    const isTable = header !== null && DELIMITERS.test(delimiters) && ALLOWED[this.#place].has("table");
    if (!isTable || cellsOf(delimiters)?.length !== header.length) return null;
    const rows: (readonly string[])[] = [];
    for (this.#at += 2; this.#at < this.#lines.length; this.#at++) {
      const cells = cellsOf(this.#line);
      if (cells === null) break;
      rows.push(cells);
    }
    const width = Math.max(header.length, ...rows.map(({ length }) => length));
    const row = (cells: readonly string[], type: string): AdfNode => ({
      type: "tableRow",
      content: Array.from({ length: width }, (_, index) => ({
        type,
        attrs: {},
        content: [{ type: "paragraph", content: textNodes(parseInline(cells[index] ?? "")) }],
      })),
    });
    const isHeaded = rows.length === 0 || header.some((cell) => cell !== "");
    const content = [
      ...(isHeaded ? [row(header, "tableHeader")] : []),
      ...rows.map((cells) => row(cells, "tableCell")),
    ];
    return { type: "table", attrs: { isNumberColumnEnabled: false, layout: "default" }, content };
  }

  #list(): AdfNode | null {
    const first = ITEM.exec(this.#line);
    if (first === null) return null;
    const sign = signOf(first);
    const items: (readonly string[])[] = [];
    for (let item: RegExpExecArray | null = first; item !== null && signOf(item) === sign; ) {
      items.push(this.#item(item));
      item = RULE.test(this.#line) ? null : ITEM.exec(this.#line);
    }
    if (first[3] === undefined) {
      const tasks = items.map(taskOf);
      if (tasks.every((task) => task !== null)) return taskList(tasks.flat());
    }
    const content = items.map((lines) => ({
      type: "listItem",
      content: nonEmptyBlocks(new BlockReader(lines, "listItem").read()),
    }));
    if (first[3] === undefined) return { type: "bulletList", content };
    const order = Number(first[3]);
    return { type: "orderedList", ...(order !== 1 && { attrs: { order } }), content };
  }

  /** The lines of an item without indentation and without blank lines at its end. */
  #item([, indent = "", sign = "", , , gap = "", rest = ""]: RegExpExecArray): readonly string[] {
    const isCode = gap.length > 4;
    const width = indent.length + sign.length + (rest === "" || isCode ? 1 : columnsOf(gap));
    const lines = [isCode ? gap.slice(1) + rest : rest];
    for (this.#at++; this.#at < this.#lines.length; this.#at++) {
      const line = this.#line;
      const isLazy = !isBlank(lines.at(-1) ?? "") && !ITEM.test(line) && !startsBlock(line);
      if (!isBlank(line) && columnsOf(/^[ \t]*/.exec(line)?.[0] ?? "") < width && !isLazy) break;
      if (isBlank(line) && lines.length === 1 && lines[0] === "") break;
      lines.push(dedented(line, width));
    }
    return withoutOuterBlanks(lines);
  }

  #paragraph(): AdfNode {
    const start = this.#at;
    for (this.#at++; this.#at < this.#lines.length; this.#at++) {
      const underline = UNDERLINE.exec(this.#line);
      if (underline !== null) {
        const level = underline[1]?.startsWith("=") ? 1 : 2;
        return headingOf(level, this.#text(start, this.#at++));
      }
      if (isBlank(this.#line) || this.#interrupts()) break;
    }
    const runs = parseInline(this.#text(start, this.#at));
    const [image] = runs;
    if (runs.length === 1 && image?.link?.kind === "image") return picture(image.link.href, image.text);
    return { type: "paragraph", content: textNodes(runs) };
  }

  #text(start: number, end: number): string {
    return this.#lines.slice(start, end).map(trimmed).join("\n");
  }

  #interrupts(): boolean {
    const isTable = DELIMITERS.test(this.#lines[this.#at + 1] ?? "") && this.#line.includes("|");
    return startsBlock(this.#line) || (isTable && this.#line.trimStart().startsWith("|"));
  }
}

function isBlank(line: string): boolean {
  return /^[ \t]*$/.test(line);
}

function startsBlock(line: string): boolean {
  const [, , , number, , , rest = ""] = ITEM.exec(line) ?? [];
  const isItem = rest !== "" && (number === undefined || number === "1");
  return isItem || [FENCE, HEADING, RULE, QUOTE, DETAILS].some((block) => block.test(line));
}

function signOf([, , sign = "", number, end]: RegExpExecArray): string {
  return number === undefined ? sign : (end ?? "");
}

function columnsOf(space: string): number {
  return space.replaceAll("\t", "    ").length;
}

function dedented(line: string, columns: number): string {
  const space = /^[ \t]*/.exec(line)?.[0] ?? "";
  const wide = space.slice(0, columns).includes("\t") ? space.replaceAll("\t", "    ") : space;
  return wide.slice(Math.min(columns, wide.length)) + line.slice(space.length);
}

function withoutOuterBlanks(lines: readonly string[]): readonly string[] {
  const start = lines.findIndex((line) => !isBlank(line));
  return start === -1 ? [] : lines.slice(start, lines.findLastIndex((line) => !isBlank(line)) + 1);
}

/** The number of lines of a foldable text; null when it has no end. */
function detailsLength(lines: readonly string[]): number | null {
  let depth = 1;
  let fence: RegExp | null = null;
  for (const [index, line] of lines.entries()) {
    const opening: RegExpExecArray | null = fence === null ? FENCE.exec(line) : null;
    if (fence?.test(line)) fence = null;
    else if (opening !== null) {
      const sign: string = opening[2] ?? "";
      fence = new RegExp(`^ {0,3}${sign.charAt(0)}{${sign.length},}[ \\t]*$`);
    } else if (fence === null && DETAILS.test(line)) depth++;
    else if (fence === null && DETAILS_END.test(line) && --depth === 0) return index;
  }
  return null;
}

/** The cells of a table's row; null for another line. */
function cellsOf(line: string): readonly string[] | null {
  const text = line.trim();
  if (!text.startsWith("|")) return null;
  const cells = text.slice(1).split(/(?<!\\)\|/);
  if (cells.length > 1 && cells.at(-1)?.trim() === "") cells.pop();
  return cells.map((cell) => cell.trim().replaceAll("\\|", "|"));
}

interface Task {
  readonly state: "DONE" | "TODO";
  readonly text: readonly AdfNode[];
}

/** An item of a task list with its sub-tasks; null when ADF cannot hold it. */
function taskOf(lines: readonly string[]): readonly (Task | AdfNode)[] | null {
  const [first = "", ...rest] = lines;
  const sign = TASK.exec(first);
  if (sign === null) return null;
  const [text, ...more] = new BlockReader([first.slice(sign[0].length), ...rest], "listItem").read();
  if (text?.type !== "paragraph" || !more.every(({ type }) => type === "taskList")) return null;
  return [{ state: sign[1] === " " ? "TODO" : "DONE", text: text.content ?? [] }, ...more];
}

function taskList(entries: readonly (Task | AdfNode)[]): AdfNode {
  const content = entries.map((entry): AdfNode => {
    if ("type" in entry) return entry;
    return { type: "taskItem", attrs: { localId: "", state: entry.state }, content: entry.text };
  });
  // Ids are assigned when the document is complete.
  return { type: "taskList", attrs: { localId: "" }, content };
}

function headingOf(level: number, text: string): AdfNode {
  return { type: "heading", attrs: { level }, content: textNodes(parseInline(text)) };
}

function codeBlock(text: string, language: string): AdfNode {
  return {
    type: "codeBlock",
    ...(language !== "" && { attrs: { language } }),
    ...(text !== "" && { content: [{ type: "text", text }] }),
  };
}

function picture(url: string, alt: string): AdfNode {
  const media = { type: "media", attrs: { type: "external", url, alt } };
  return { type: "mediaSingle", attrs: { layout: "center" }, content: [media] };
}

/** ADF requires at least one block in most places. */
function nonEmptyBlocks(nodes: readonly AdfNode[]): readonly AdfNode[] {
  return nodes.length > 0 ? nodes : [{ type: "paragraph", content: [] }];
}

/** A node if its place allows it, otherwise the nearest allowed ones. */
function fitted(node: AdfNode, place: Place): readonly AdfNode[] {
  if (ALLOWED[place].has(node.type)) return [node];
  const paragraph = (content: readonly AdfNode[]): AdfNode => ({ type: "paragraph", content });
  const { content = [] } = node;
  switch (node.type) {
    case "heading":
      return [paragraph(content.map(strong))];
    case "rule":
      return [paragraph([{ type: "text", text: "---" }])];
    case "taskList":
      return [{ type: "bulletList", content: content.map(uncheckable) }];
    default: {
      const title = node.attrs?.title;
      const heading =
        typeof title === "string" && title !== "" ? [strong({ type: "text", text: title })] : [];
      const parts = [...(heading.length > 0 ? [paragraph(heading)] : []), ...content];
      return parts.flatMap((part) => fitted(part, place));
    }
  }
}

function strong(node: AdfNode): AdfNode {
  const marks = node.marks ?? [];
  const isFixed = node.type !== "text" || marks.some(({ type }) => type === "code" || type === "strong");
  return isFixed ? node : { ...node, marks: [...marks, { type: "strong" }] };
}

function uncheckable(entry: AdfNode): AdfNode {
  if (entry.type === "taskList") return { type: "listItem", content: fitted(entry, "blockquote") };
  const sign = { type: "text", text: entry.attrs?.state === "DONE" ? "[x] " : "[ ] " };
  return { type: "listItem", content: [{ type: "paragraph", content: [sign, ...(entry.content ?? [])] }] };
}

function textNodes(runs: readonly Run[]): readonly AdfNode[] {
  return runs.map((run) => {
    if (run.text === BREAK.text) return { type: "hardBreak" };
    const marks = [...run.styles].sort().map(adfMark);
    const { link } = run;
    if (link !== null) {
      marks.push({
        type: "link",
        attrs: { href: link.href, ...(link.title !== null && { title: link.title }) },
      });
    }
    return { type: "text", text: run.text, ...(marks.length > 0 && { marks }) };
  });
}

function adfMark(style: TextStyle): { type: string; attrs?: Record<string, string> } {
  return style === "sub" || style === "sup" ? { type: "subsup", attrs: { type: style } } : { type: style };
}
