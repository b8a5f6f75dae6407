/** The custom fields of missions. They differ by site and are named in the settings. */
import * as v from "valibot";
import { jsonText } from "../../../shared/json.ts";
import { ConnectorRequestError, IssuePayloadContractError } from "../../errors.ts";
import { DECISIONS_FIELD, MISSION_FIELD } from "../../mission.ts";
import { canonicalJson, type IssueFields, JsonValue } from "../../model.ts";
import type { JiraParams } from "../params.ts";
import { AdfDocument, type AdfNode } from "./adf.ts";
import { markdownOf } from "./adf-markdown.ts";
import { JIRA } from "./rest.ts";

export interface CustomField {
  readonly name: string;
  readonly id: string;
  /** @throws ConnectorRequestError (`invalid`) when the field cannot hold the value; null empties it */
  readonly toNative: (value: JsonValue) => unknown;
  readonly fromNative: (value: string | AdfDocument) => JsonValue;
}

export function customFieldsOf({
  missionFieldId,
  decisionsFieldId,
}: Pick<JiraParams, "missionFieldId" | "decisionsFieldId">): readonly CustomField[] {
  return [
    ...(missionFieldId === undefined ? [] : [missionField(missionFieldId)]),
    ...(decisionsFieldId === undefined ? [] : [decisionsField(decisionsFieldId)]),
  ];
}

/** Text; a document in a field of several lines. */
const NativeText = v.nullish(v.union([v.string(), AdfDocument]));

/** @throws IssuePayloadContractError when a field is no text field */
export function readCustomFields(
  custom: readonly CustomField[],
  fields: Readonly<Record<string, unknown>>,
): IssueFields["customFields"] {
  const members = custom.flatMap(({ name, id, fromNative }): (readonly [string, JsonValue])[] => {
    const parsed = v.safeParse(NativeText, fields[id]);
    if (!parsed.success) {
      throw new IssuePayloadContractError(JIRA, `issue.fields.${id}`, "must be a text field");
    }
    const value = parsed.output ? fromNative(parsed.output) : null;
    return value === null ? [] : [[name, value]];
  });
  return Object.fromEntries(members);
}

/** The values that change these fields from `before` to `after`; an absent member empties its field. */
export function writtenCustomFields(
  custom: readonly CustomField[],
  before: IssueFields["customFields"],
  after: IssueFields["customFields"],
): Readonly<Record<string, unknown>> {
  const written = custom.flatMap(({ name, id, toNative }) => {
    const [had = null, wanted = null] = [before[name], after[name]];
    return canonicalJson(had) === canonicalJson(wanted) ? [] : [[id, toNative(wanted)] as const];
  });
  return Object.fromEntries(written);
}

function missionField(id: string): CustomField {
  return {
    name: MISSION_FIELD,
    id,
    toNative: (value) => {
      if (value === null || typeof value === "string") return value;
      const message = `customFields.${MISSION_FIELD}: must be text.`;
      throw new ConnectorRequestError(message, { provider: JIRA, failureClass: "invalid" });
    },
    fromNative: (value) => (typeof value === "string" ? value : markdownOf(value)) || null,
  };
}

const References = jsonText(v.array(JsonValue));

/** A JSON list. A field of one line is too short: it ends after 255 characters. */
function decisionsField(id: string): CustomField {
  return {
    name: DECISIONS_FIELD,
    id,
    toNative: (value) => (value === null || value === "" ? null : documentWith(textOf(value))),
    fromNative: (value) => {
      const text = typeof value === "string" ? value : plainText(value.content);
      const list = v.safeParse(References, text);
      return list.success ? list.output : text.trim() || null;
    },
  };
}

function textOf(value: JsonValue): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function documentWith(text: string): AdfDocument {
  return { type: "doc", version: 1, content: [{ type: "paragraph", content: [{ type: "text", text }] }] };
}

/** The text of nodes without Markdown's escapes. */
function plainText(nodes: readonly AdfNode[]): string {
  return nodes.map(({ text = "", content = [] }) => text + plainText(content)).join("");
}
