/**
 * What Jira accepts as a document: the nodes of
 * https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/
 * and where they may stand. Anything else is refused as a whole, as Jira does.
 */
import * as v from "valibot";

const Node = v.looseObject({ type: v.string(), content: v.optional(v.array(v.unknown())) });
const Text = v.strictObject({
  type: v.literal("text"),
  text: v.pipe(v.string(), v.nonEmpty()),
  marks: v.optional(v.array(v.looseObject({ type: v.string() }))),
});
const Link = v.looseObject({ type: v.literal("link"), attrs: v.looseObject({ href: v.string() }) });

const INLINE =
  "text hardBreak mention emoji date status inlineCard placeholder inlineExtension mediaInline".split(" ");
const LISTS = ["bulletList", "orderedList"];
const MEDIA = ["mediaSingle", "mediaGroup"];
const PANEL = [
  "paragraph",
  "heading",
  ...LISTS,
  "blockCard",
  ...MEDIA,
  "codeBlock",
  "taskList",
  "rule",
  "decisionList",
];
const NESTED = [...PANEL, "panel", "blockquote", "table", "embedCard", "extension"];

const CHILDREN: Readonly<Record<string, readonly string[]>> = {
  doc: [...NESTED, "expand", "bodiedExtension", "layoutSection"],
  paragraph: INLINE,
  heading: INLINE,
  codeBlock: ["text"],
  blockquote: ["paragraph", ...LISTS, "codeBlock", ...MEDIA],
  bulletList: ["listItem"],
  orderedList: ["listItem"],
  listItem: ["paragraph", ...LISTS, "taskList", "mediaSingle", "codeBlock"],
  taskList: ["taskItem", "taskList", "blockTaskItem"],
  taskItem: INLINE,
  decisionList: ["decisionItem"],
  decisionItem: INLINE,
  panel: PANEL,
  expand: [...NESTED, "nestedExpand"],
  nestedExpand: [...PANEL, "panel", "blockquote"],
  table: ["tableRow"],
  tableRow: ["tableCell", "tableHeader"],
  tableCell: [...NESTED.filter((type) => type !== "table"), "nestedExpand"],
  tableHeader: [...NESTED.filter((type) => type !== "table"), "nestedExpand"],
  mediaSingle: ["media", "caption"],
  mediaGroup: ["media"],
};

const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  heading: ["level"],
  taskList: ["localId"],
  taskItem: ["localId", "state"],
  decisionList: ["localId"],
  decisionItem: ["localId", "state"],
  panel: ["panelType"],
  media: ["type"],
  mention: ["id"],
  emoji: ["shortName"],
  date: ["timestamp"],
  status: ["text", "color"],
};
const FILLED = [
  ...LISTS,
  "listItem",
  "blockquote",
  "panel",
  "taskList",
  "table",
  "expand",
  "nestedExpand",
  "mediaSingle",
];
const WITH_CODE = ["code", "link", "annotation"];

/** Whether a value is a document that Jira takes. */
export function isDocument(value: unknown): boolean {
  return (
    v.is(
      v.looseObject({ type: v.literal("doc"), version: v.literal(1), content: v.array(v.unknown()) }),
      value,
    ) && isNode(value)
  );
}

function isNode(value: unknown): boolean {
  if (!v.is(Node, value)) return false;
  if (value.type === "text") return isText(value);
  const { type, content = [] } = value;
  const attrs = v.is(v.looseObject({ attrs: v.record(v.string(), v.unknown()) }), value) ? value.attrs : {};
  const hasAll = (REQUIRED[type] ?? []).every((name) => Object.hasOwn(attrs, name));
  const allowed = CHILDREN[type] ?? [];
  const isFilled = content.length > 0 || !FILLED.includes(type);
  return (
    hasAll &&
    isFilled &&
    content.every((child) => v.is(Node, child) && allowed.includes(child.type) && isNode(child))
  );
}

function isText(value: unknown): boolean {
  if (!v.is(Text, value)) return false;
  const marks = value.marks ?? [];
  const types = marks.map(({ type }) => type);
  const isCode = types.includes("code");
  return (
    new Set(types).size === types.length &&
    marks.every((mark) => mark.type !== "link" || v.is(Link, mark)) &&
    (!isCode || types.every((type) => WITH_CODE.includes(type)))
  );
}

/** The words in a document. */
export function textOf(value: unknown): string {
  if (v.is(v.looseObject({ text: v.string() }), value)) return value.text;
  return v.is(Node, value) ? (value.content ?? []).map(textOf).join(" ") : "";
}

/** A document with one paragraph for each text. */
export function documentWith(...paragraphs: readonly string[]): unknown {
  const content = paragraphs.map((text) => ({ type: "paragraph", content: [{ type: "text", text }] }));
  return { type: "doc", version: 1, content };
}
