/** Converts bodies between ADF in Jira and Markdown in the model. */
import type { AdfDocument, AdfNode } from "./adf.ts";
import { writeBlocks } from "./adf-blocks.ts";
import { parseBlocks } from "./markdown-blocks.ts";

/** Reading the Markdown and writing it again gives the same text, so that a document never looks edited. */
export function markdownOf({ content }: AdfDocument): string {
  let text = writeBlocks(content);
  // Nodes that the schema does not allow in their place settle after one or two rounds.
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
 * @param previous The document of the text before it was edited. Nodes with unchanged text are taken from it,
 * with what Markdown cannot express
 */
export function documentOf(markdown: string, previous: AdfDocument | null = null): AdfDocument {
  const blocks = parseBlocks(markdown);
  const content = withPrevious(blocks, previous?.content ?? []);
  return { type: "doc", version: 1, content: numbered(content, { last: 0 }, idsIn(content)) };
}

interface PreviousNode {
  readonly node: AdfNode;
  /** One text per block: the columns of a layout are several. */
  readonly texts: readonly string[];
  /** The following nodes without text, such as an empty line. */
  readonly silent: AdfNode[];
}

/** The blocks, with the previous nodes where the text is the same. */
function withPrevious(blocks: readonly AdfNode[], previous: readonly AdfNode[]): readonly AdfNode[] {
  const content: AdfNode[] = [];
  const previousNodes: PreviousNode[] = [];
  for (const node of previous) {
    const texts = textsOf(parseBlocks(writeBlocks([node])));
    if (texts.length > 0) previousNodes.push({ node, texts, silent: [] });
    else (previousNodes.at(-1)?.silent ?? content).push(node);
  }
  // The longest first, because a part of it may read like another node.
  const longestFirst = previousNodes.toSorted((one, other) => other.texts.length - one.texts.length);
  const left = Map.groupBy(longestFirst, ({ texts: [first] }) => first);
  const wanted = textsOf(blocks);
  for (let at = 0; at < blocks.length; ) {
    const candidates = left.get(wanted[at]) ?? [];
    const index = candidates.findIndex(({ texts }) =>
      texts.every((text, offset) => text === wanted[at + offset]),
    );
    const [found] = index === -1 ? [] : candidates.splice(index, 1);
    content.push(...(found === undefined ? blocks.slice(at, at + 1) : [found.node, ...found.silent]));
    at += found?.texts.length ?? 1;
  }
  return content;
}

/** The Markdown of each block by itself. */
function textsOf(blocks: readonly AdfNode[]): readonly string[] {
  return blocks.map((block) => writeBlocks([block]));
}

/** ADF requires task ids that are unique in the document. */
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
