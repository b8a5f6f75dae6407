/** Reads an item of a push from the wire's words into the SDK's. */
import * as v from "valibot";
import type { PushItem } from "../protocol.ts";
import {
  CanonicalIssueType,
  CanonicalStatus,
  type IssuePatch,
  JsonValue,
  LinkType,
  Priority,
} from "../sdk/model.ts";
import { parsePart } from "./request.ts";

const filled = v.pipe(v.string(), v.nonEmpty("must not be empty"));

/** The name of an issue: its id, or the name that people use. */
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

/** A link as it is asked for. */
const WireLink = v.object({ type: LinkType, target: NamedRef });

/** The new values of fields that change. What is not known here is refused, not passed over. */
const WirePatch = v.strictObject({
  title: v.exactOptional(filled),
  body: v.exactOptional(v.nullable(v.string())),
  status: v.exactOptional(CanonicalStatus),
  issue_type: v.exactOptional(CanonicalIssueType),
  priority: v.exactOptional(v.nullable(Priority)),
  assignees: v.exactOptional(v.array(filled)),
  labels: v.exactOptional(v.array(filled)),
  parent_ref: v.exactOptional(v.nullable(NamedRef)),
  custom_fields: v.exactOptional(v.record(v.string(), JsonValue)),
});
export type WirePatch = v.InferOutput<typeof WirePatch>;

/** The values of a new issue, which needs a title. */
const WireCreate = v.strictObject({ ...WirePatch.entries, title: filled });

/** An item that was parsed: the issues that it names are still to be found. */
type ParsedItem =
  | { readonly action: "create"; readonly patch: WirePatch }
  | { readonly action: "update"; readonly ref: NamedRef; readonly patch: WirePatch }
  | { readonly action: "transition"; readonly ref: NamedRef; readonly status: CanonicalStatus }
  | { readonly action: "link"; readonly ref: NamedRef; readonly type: LinkType; readonly target: NamedRef }
  | { readonly action: "comment"; readonly ref: NamedRef; readonly body: string };

/**
 * Parses an item as the wire holds it. Its values are not parsed again.
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
      return { action, ref, body: parse(filled, item.body, "body") };
  }
}

/** The patch in the SDK's words; the parent is resolved by the caller. */
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
