/** Writes ADF as Markdown that reads back as the same Markdown; colors, widths and mentions are lost. */
import { type AdfMark, type AdfNode, attribute, INLINE } from "./adf.ts";
import { BREAK, isSameText, linkTo, normalized, plainRun, type Run, type TextStyle } from "./adf-runs.ts";
import { PANELS, parseBlocks } from "./markdown-blocks.ts";
import { writeInline } from "./markdown-writer.ts";

export function writeBlocks(nodes: readonly AdfNode[]): string {
  return joined(nodes, "\n\n");
}

const STYLES: ReadonlyMap<string, TextStyle> = new Map([
  ["strong", "strong"],
  ["em", "em"],
  ["strike", "strike"],
  ["underline", "underline"],
  ["code", "code"],
]);

/** Adjacent lists differ in Markdown by their signs. */
const LIST_SIGNS: Readonly<Record<string, readonly [string, string]>> = {
  bulletList: ["-", "*"],
  taskList: ["-", "*"],
  decisionList: ["-", "*"],
  orderedList: [".", ")"],
};

/** @param beforeList The separator between a paragraph and a list after it */
function joined(nodes: readonly AdfNode[], beforeList: "\n" | "\n\n"): string {
  let text = "";
  let last: { readonly type: string; readonly sign: string } = { type: "", sign: "" };
  for (const node of lifted(nodes)) {
    const signs = LIST_SIGNS[node.type];
    const sign = signs === undefined ? "" : signs[0] === last.sign ? signs[1] : signs[0];
    const block = written(node, sign);
    if (block === "") continue;
    const isTight = last.type === "paragraph" && signs !== undefined && /^(- |1\. )/.test(block);
    text += text === "" ? block : (isTight ? beforeList : "\n\n") + block;
    last = { type: node.type, sign };
  }
  return text;
}

/** Unsupported containers are replaced by their content; loose text becomes a paragraph. */
function lifted(nodes: readonly AdfNode[]): readonly AdfNode[] {
  const blocks: AdfNode[] = [];
  let loose: AdfNode[] = [];
  const close = () => {
    if (loose.length > 0) blocks.push({ type: "paragraph", content: loose });
    loose = [];
  };
  for (const node of nodes) {
    if (INLINE.has(node.type)) loose.push(node);
    else {
      close();
      const { content = [] } = node;
      if (KNOWN.has(node.type)) blocks.push(node);
      else if (content.length > 0) blocks.push(...lifted(content));
      else blocks.push({ type: "paragraph", content: [node] });
    }
  }
  close();
  return blocks;
}

const KNOWN: ReadonlySet<string> = new Set([
  ...Object.keys(LIST_SIGNS),
  "paragraph",
  "heading",
  "codeBlock",
  "rule",
  "blockquote",
  "panel",
  "expand",
  "nestedExpand",
  "table",
  "mediaSingle",
  "mediaGroup",
]);

function written(node: AdfNode, sign: string): string {
  const { content = [], attrs } = node;
  switch (node.type) {
    case "heading": {
      const level = typeof attrs?.level === "number" ? Math.min(6, Math.max(1, Math.trunc(attrs.level))) : 1;
      return headingText(level, runsOf(content));
    }
    case "codeBlock":
      return fenced(content.map(({ text = "" }) => text).join(""), attribute(node, "language") ?? "");
    case "rule":
      return "---";
    case "blockquote":
      return quoteBlock(joined(content, "\n\n"));
    case "panel": {
      const name = PANELS[attribute(node, "panelType") ?? ""] ?? "NOTE";
      const text = joined(content, "\n\n");
      return quoteBlock(text === "" ? `[!${name}]` : `[!${name}]\n${text}`);
    }
    case "expand":
    case "nestedExpand": {
      const title = writeInline(normalized([plainRun(attribute(node, "title") ?? "")]), {
        lineBreak: "<br>",
      });
      const text = joined(content, "\n\n");
      return [
        "<details>",
        `<summary>${title}</summary>`,
        "",
        ...(text === "" ? [] : [text, ""]),
        "</details>",
      ].join("\n");
    }
    case "table":
      return tableText(content);
    case "mediaSingle":
      return mediaText(content);
    case "bulletList":
    case "decisionList":
    case "orderedList":
    case "taskList":
      return listText(node, sign);
    default:
      return paragraphText(runsOf([node]));
  }
}

function paragraphText(runs: readonly Run[]): string {
  return writeInline(runs, {
    lineBreak: "\n",
    isRead: (text) => {
      if (/^\[( |x|!\w+)\]/i.test(text)) return false;
      const [block, ...more] = parseBlocks(text);
      const isParagraph = block?.type === "paragraph" && more.length === 0;
      return runs.length === 0 ? text === "" : isParagraph && isSameText(runsOf(block.content ?? []), runs);
    },
  });
}

function headingText(level: number, runs: readonly Run[]): string {
  const signs = "#".repeat(level);
  const text = writeInline(runs, {
    lineBreak: "<br>",
    isRead: (written) => {
      const [block] = parseBlocks(`${signs} ${written}`);
      return block?.type === "heading" && isSameText(runsOf(block.content ?? []), runs);
    },
  });
  return `${signs} ${text}`.trimEnd();
}

function fenced(text: string, language: string): string {
  const code = text.replace(/\r\n?/g, "\n");
  const longest = Math.max(2, ...[...code.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  const name = language.replaceAll("`", "").replace(/\s+/g, " ").trim();
  return [fence + name, ...(code === "" ? [] : [code]), fence].join("\n");
}

function quoteBlock(text: string): string {
  return text
    .split("\n")
    .map((line) => (line === "" ? ">" : `> ${line}`))
    .join("\n");
}

function mediaText(content: readonly AdfNode[]): string {
  const [media, ...rest] = content;
  const url = media === undefined ? null : attribute(media, "url");
  if (media === undefined || url === null) return paragraphText(runsOf(content));
  const alt = normalized([plainRun(attribute(media, "alt") ?? "image")]).map(({ text }) =>
    text.replace(/\s/g, " "),
  );
  const picture: Run = { ...plainRun(alt.join("")), link: linkTo(url, null, "image") };
  const text = writeInline([picture], { lineBreak: "<br>" });
  const caption = joined(rest, "\n\n");
  return caption === "" ? text : `${text}\n\n${caption}`;
}

function listText({ type, attrs, content = [] }: AdfNode, sign: string): string {
  const order = typeof attrs?.order === "number" ? Math.trunc(attrs.order) : 1;
  const start = order >= 0 && order <= 999_999 ? order : 1;
  const items: string[] = [];
  for (const item of content) {
    // A list in a list of tasks belongs to the task before it.
    const isNested = item.type === "taskList" && type === "taskList";
    const box = item.type.endsWith("askItem") ? (attribute(item, "state") === "DONE" ? "[x] " : "[ ] ") : "";
    const lead = type === "orderedList" ? `${start + items.length}${sign} ` : `${sign} `;
    const text = isNested ? written(item, "-") : itemText(item);
    if (isNested && items.length > 0) items[items.length - 1] += `\n${indented(text, lead.length)}`;
    else items.push(lead + box + indented(text === "" ? "<br>" : text, lead.length).trimStart());
  }
  return items.join("\n");
}

function itemText(item: AdfNode): string {
  const { type, content = [] } = item;
  if (type === "blockTaskItem") return paragraphText(flattened(content));
  if (type === "listItem") return joined(content, "\n");
  return INLINE.has(content[0]?.type ?? "text") ? paragraphText(runsOf(content)) : joined([item], "\n");
}

function indented(text: string, columns: number): string {
  return text.replace(/^(?=.)/gm, " ".repeat(columns));
}

function tableText(rows: readonly AdfNode[]): string {
  const grid = rows.map(({ content = [] }) =>
    content.flatMap((cell) => {
      const text = writeInline(flattened(cell.content ?? []), { lineBreak: "<br>" });
      const span = typeof cell.attrs?.colspan === "number" ? Math.trunc(cell.attrs.colspan) : 1;
      const covered = Array.from({ length: Math.min(Math.max(span - 1, 0), 100) }, () => "");
      return [text.replaceAll("|", "\\|"), ...covered];
    }),
  );
  const width = Math.max(1, ...grid.map(({ length }) => length));
  const isHeaded = rows[0]?.content?.every(({ type }) => type === "tableHeader") ?? false;
  const [header = [], ...body] = isHeaded ? grid : [[], ...grid];
  const line = (cells: readonly string[]) =>
    `|${Array.from({ length: width }, (_, index) => ` ${cells[index] ?? ""} |`).join("")}`;
  return [line(header), `|${" --- |".repeat(width)}`, ...body.map(line)].join("\n");
}

/** Blocks as the lines of one paragraph. */
function flattened(nodes: readonly AdfNode[]): readonly Run[] {
  const lines = lifted(nodes).map((node): readonly Run[] => {
    const { content = [] } = node;
    switch (node.type) {
      case "paragraph":
      case "heading":
        return runsOf(content);
      case "codeBlock":
        return content.map(({ text = "" }) => ({ ...plainRun(text), styles: new Set<TextStyle>(["code"]) }));
      case "rule":
        return [plainRun("---")];
      case "orderedList":
      case "bulletList":
      case "taskList":
      case "decisionList":
        return between(content.map((item) => [plainRun("• "), ...flattened(item.content ?? [])]));
      case "mediaSingle":
      case "mediaGroup":
        return between(content.map((media) => runsOf([media])));
      default:
        return between([[plainRun(attribute(node, "title") ?? "")], flattened(content)]);
    }
  });
  return normalized(between(lines));
}

function between(lines: readonly (readonly Run[])[]): readonly Run[] {
  return lines
    .filter((line) => line.some(({ text }) => text !== ""))
    .flatMap((line, index) => (index === 0 ? line : [BREAK, ...line]));
}

function runsOf(nodes: readonly AdfNode[]): readonly Run[] {
  return normalized(nodes.flatMap(rawRunsOf));
}

function rawRunsOf(node: AdfNode): readonly Run[] {
  const decorated = (text: string, more: readonly AdfMark[] = []) => [
    decoratedRun(text, [...(node.marks ?? []), ...more]),
  ];
  const address = attribute(node, "url");
  switch (node.type) {
    case "text":
      return decorated(node.text ?? "");
    case "hardBreak":
      return [BREAK];
    case "status":
      return decorated(attribute(node, "text") ?? "", [{ type: "code" }]);
    case "mention":
      return decorated(attribute(node, "text") ?? `@${attribute(node, "id") ?? ""}`);
    case "emoji":
      return decorated(attribute(node, "text") ?? attribute(node, "shortName") ?? "");
    case "date":
      return decorated(dayOf(attribute(node, "timestamp") ?? ""));
    case "media":
    case "mediaInline":
      if (address === null) {
        return decorated(`(attachment: ${attribute(node, "alt") ?? attribute(node, "id") ?? "unknown"})`);
      }
      return decorated(attribute(node, "alt") ?? address, [{ type: "link", attrs: { href: address } }]);
    default: {
      const { content = [] } = node;
      if (content.length > 0)
        return content.some(({ type }) => !INLINE.has(type))
          ? flattened(content)
          : content.flatMap(rawRunsOf);
      if (address !== null) return decorated(address, [{ type: "link", attrs: { href: address } }]);
      return decorated(node.text ?? attribute(node, "text") ?? attribute(node, "extensionKey") ?? "");
    }
  }
}

function decoratedRun(text: string, marks: readonly AdfMark[]): Run {
  const styles = new Set<TextStyle>();
  let link: Run["link"] = null;
  for (const mark of marks) {
    const style = STYLES.get(mark.type);
    const href = attribute(mark, "href");
    if (style !== undefined) styles.add(style);
    else if (mark.type === "subsup") styles.add(attribute(mark, "type") === "sup" ? "sup" : "sub");
    else if (mark.type === "link" && href !== null) link = linkTo(href, attribute(mark, "title"), "link");
  }
  return { text, styles, link };
}

/** The day of an instant in milliseconds since the epoch, in UTC. */
function dayOf(timestamp: string): string {
  const date = new Date(Number(timestamp));
  return timestamp === "" || Number.isNaN(date.getTime()) ? timestamp : date.toISOString().slice(0, 10);
}
