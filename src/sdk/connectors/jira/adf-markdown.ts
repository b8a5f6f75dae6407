/** Bodies: ADF in Jira, Markdown here. */
import type { AdfDocument, AdfNode } from "./adf.ts";
import { writeBlocks } from "./adf-blocks.ts";
import { parseBlocks } from "./markdown-blocks.ts";

/**
 * A document as Markdown; empty when nothing in it can be read. Reading the
 * Markdown back gives a document with this very Markdown, so that an edit
 * elsewhere never shows as an edit here.
 */
export function markdownOf({ content }: AdfDocument): string {
  let text = writeBlocks(content);
  // Nodes in places that the schema has no room for move once or twice before they rest.
  for (let round = 0; round < 5; round++) {
    const next = writeBlocks(parseBlocks(text));
    if (next === text) break;
    text = next;
  }
  return text;
}

/**
 * A Markdown text as a document.
 *
 * @param previous What the text was made from before it was edited. Blocks whose text is unchanged are
 *   taken over from it as they are, with everything that Markdown cannot say.
 */
export function documentOf(markdown: string, previous: AdfDocument | null = null): AdfDocument {
  const known = new Map<string, AdfNode[]>();
  for (const node of previous?.content ?? []) {
    const text = writeBlocks([node]);
    known.set(text, [...(known.get(text) ?? []), node]);
  }
  const blocks = parseBlocks(markdown);
  const content =
    known.size === 0 ? blocks : blocks.map((node) => known.get(writeBlocks([node]))?.shift() ?? node);
  return { type: "doc", version: 1, content: numbered(content, { last: 0 }, idsIn(content)) };
}

/** Task lists want ids that are theirs alone in the document. */
function numbered(
  nodes: readonly AdfNode[],
  counter: { last: number },
  taken: ReadonlySet<string>,
): AdfNode[] {
  return nodes.map((node) => {
    let { attrs } = node;
    if (attrs?.localId === "") {
      do counter.last++;
      while (taken.has(String(counter.last)));
      attrs = { ...attrs, localId: String(counter.last) };
    }
    const content = node.content && numbered(node.content, counter, taken);
    return { ...node, ...(attrs && { attrs }), ...(content && { content }) };
  });
}

function idsIn(nodes: readonly AdfNode[]): ReadonlySet<string> {
  return new Set(
    nodes.flatMap(({ attrs, content = [] }) => [
      ...(typeof attrs?.localId === "string" ? [attrs.localId] : []),
      ...idsIn(content),
    ]),
  );
}
