/**
 * Atlassian Document Format, Jira's rich text:
 * https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/ The node and mark types are
 * those of https://go.atlassian.com/adf-json-schema.
 */
import * as v from "valibot";
import type { JsonValue } from "../../model.ts";

const Attributes = v.record(
  v.string(),
  v.custom<JsonValue>(() => true),
);

const AdfMark = v.object({ type: v.string(), attrs: v.exactOptional(Attributes) });
export type AdfMark = v.InferOutput<typeof AdfMark>;

/** Types are not listed, because Atlassian adds to them. */
export interface AdfNode {
  readonly type: string;
  readonly text?: string;
  readonly attrs?: Readonly<Record<string, JsonValue>>;
  readonly marks?: readonly AdfMark[];
  readonly content?: readonly AdfNode[];
}

const AdfNode: v.GenericSchema<AdfNode> = v.object({
  type: v.string(),
  text: v.exactOptional(v.string()),
  attrs: v.exactOptional(Attributes),
  marks: v.exactOptional(v.array(AdfMark)),
  content: v.exactOptional(v.lazy(() => v.array(AdfNode))),
});

/** The deepest level that is read; Jira's editor makes about ten. */
const MAX_DEPTH = 200;

export const AdfDocument = v.pipe(
  v.unknown(),
  v.check((value) => depthOf(value) <= MAX_DEPTH, `must not be nested deeper than ${MAX_DEPTH} levels`),
  v.object({ type: v.literal("doc"), version: v.number(), content: v.array(AdfNode) }),
);
export type AdfDocument = v.InferOutput<typeof AdfDocument>;

const Parent = v.object({ content: v.array(v.unknown()) });

function depthOf(value: unknown): number {
  let level: readonly unknown[] = [value];
  let depth = 0;
  for (; level.length > 0 && depth <= MAX_DEPTH; depth++) {
    level = level.flatMap((node) => (v.is(Parent, node) ? node.content : []));
  }
  return depth;
}

export const INLINE: ReadonlySet<string> = new Set([
  "text",
  "hardBreak",
  "mention",
  "emoji",
  "date",
  "status",
  "inlineCard",
  "placeholder",
  "inlineExtension",
  "mediaInline",
]);

export function attribute(node: { readonly attrs?: AdfNode["attrs"] }, name: string): string | null {
  const value = node.attrs?.[name];
  return typeof value === "string" && value !== "" ? value : null;
}
