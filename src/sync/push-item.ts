/** Parses the items of a push into the SDK's types. */
import * as v from "valibot";
import type { PushItem } from "../protocol.ts";
import {
  CanonicalIssueType,
  CanonicalStatus,
  type IssuePatch,
  JsonValue,
  LinkType,
  NonEmpty,
  Priority,
} from "../sdk/model.ts";
import { parsePart } from "./request.ts";

/** The name of an issue: its id or its key. */
export const NamedRef = v.union([
  v.pipe(
    v.string(),
    v.transform((key) => ({ system: null, workspace: null, id: null, key })),
  ),
  v.pipe(
    v.looseObject({
      system: v.nullish(v.string()),
      workspace: v.nullish(v.string()),
      id: v.nullish(v.pipe(v.union([v.string(), v.number()]), v.transform(String))),
      key: v.nullish(v.string()),
    }),
    v.transform(({ system = null, workspace = null, id = null, key = null }) => ({
      system,
      workspace,
      id,
      key,
    })),
  ),
]);
export type NamedRef = v.InferOutput<typeof NamedRef>;

const WireLink = v.object({ type: LinkType, target: NamedRef });

/** New values of the fields that change. Unknown fields are refused. */
const WirePatch = v.strictObject({
  title: v.exactOptional(NonEmpty),
  body: v.exactOptional(v.nullable(v.string())),
  status: v.exactOptional(CanonicalStatus),
  issue_type: v.exactOptional(CanonicalIssueType),
  priority: v.exactOptional(v.nullable(Priority)),
  assignees: v.exactOptional(v.array(NonEmpty)),
  labels: v.exactOptional(v.array(NonEmpty)),
  parent_ref: v.exactOptional(v.nullable(NamedRef)),
  custom_fields: v.exactOptional(v.record(v.string(), JsonValue)),
});
export type WirePatch = v.InferOutput<typeof WirePatch>;

const WireCreate = v.strictObject({ ...WirePatch.entries, title: NonEmpty });

/** A parsed item; the issues that it names are not resolved yet. */
type ParsedItem =
  | { readonly action: "create"; readonly patch: WirePatch }
  | { readonly action: "update"; readonly ref: NamedRef; readonly patch: WirePatch }
  | { readonly action: "transition"; readonly ref: NamedRef; readonly status: CanonicalStatus }
  | { readonly action: "link"; readonly ref: NamedRef; readonly type: LinkType; readonly target: NamedRef }
  | { readonly action: "comment"; readonly ref: NamedRef; readonly body: string };

/**
 * Parses an item of the wire. Its values are not parsed again.
 *
 * @throws SyncRequestError naming the path of what is wrong
 */
export function parseItem(provider: string, item: PushItem): ParsedItem {
  const parse = <S extends v.GenericSchema>(schema: S, value: unknown, name: string) =>
    parsePart(provider, schema, value, name);
  const { action } = item;
  if (action === "create") return { action, patch: parse(WireCreate, item.patch ?? {}, "patch") };
  const ref = parse(NamedRef, item.ref, "ref");
  switch (action) {
    case "update":
      return { action, ref, patch: parse(WirePatch, item.patch ?? {}, "patch") };
    case "transition":
      return { action, ref, status: parse(CanonicalStatus, item.target_status, "target_status") };
    case "link":
      return { action, ref, ...parse(WireLink, item.link, "link") };
    case "comment":
      return { action, ref, body: parse(NonEmpty, item.body, "body") };
  }
}

/** The patch without its parent, which the caller resolves. */
export function patchOf({
  parent_ref: _,
  issue_type,
  custom_fields,
  ...same
}: WirePatch): Omit<IssuePatch, "parent" | "links"> {
  return {
    ...same,
    ...(issue_type !== undefined && { issueType: issue_type }),
    ...(custom_fields !== undefined && { customFields: custom_fields }),
  };
}
