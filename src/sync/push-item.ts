/** Reads an item of a push from the wire's words into the SDK's. */
import * as v from "valibot";
import {
  CanonicalIssueType,
  CanonicalStatus,
  type IssuePatch,
  JsonValue,
  LinkType,
  Priority,
} from "../sdk/model.ts";

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
export const WireLink = v.object({ type: LinkType, target: NamedRef });

/** The new values of fields that change. What is not known here is refused, not passed over. */
export const WirePatch = v.strictObject({
  title: v.exactOptional(v.pipe(v.string(), v.nonEmpty("must not be empty"))),
  body: v.exactOptional(v.nullable(v.string())),
  status: v.exactOptional(CanonicalStatus),
  issue_type: v.exactOptional(CanonicalIssueType),
  priority: v.exactOptional(v.nullable(Priority)),
  assignees: v.exactOptional(v.array(v.string())),
  labels: v.exactOptional(v.array(v.string())),
  parent_ref: v.exactOptional(v.nullable(NamedRef)),
  custom_fields: v.exactOptional(v.record(v.string(), JsonValue)),
});
export type WirePatch = v.InferOutput<typeof WirePatch>;

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
