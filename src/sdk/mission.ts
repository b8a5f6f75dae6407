/** Connects an issue with a mission: the seed that a mission starts from, and the updates that it publishes. */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { jsonText } from "../shared/json.ts";
import { providerName } from "../shared/providers.ts";
import { assertSupported } from "./capabilities.ts";
import type { TrackerConnector } from "./connector.ts";
import { CapabilityNotSupportedError, ConnectorRequestError, TrackerSdkError } from "./errors.ts";
import {
  type CanonicalIssue,
  type CanonicalLink,
  CanonicalStatus,
  canonicalJson,
  ExternalRef,
  type IssueFields,
  identityOf,
  type JsonValue,
  problemOf,
} from "./model.ts";

/** The custom field that names an issue's mission. */
export const MISSION_FIELD = "spec_kitty_mission";
/** The custom field that holds an issue's decision references. */
export const DECISIONS_FIELD = "decision_refs";

const MAX_UPDATE_ATTEMPTS = 3;

const Line = v.pipe(
  v.string(),
  v.transform((text) => text.replace(/[\s\p{Cc}]+/gu, " ").trim()),
);
const FilledLine = v.pipe(Line, v.nonEmpty("must not be empty"));

/** A decision that a mission depends on, and its issue if it has one. */
export const DecisionReference = v.object({
  id: FilledLine,
  externalRef: v.exactOptional(ExternalRef),
  /** The mission cannot continue before the decision. */
  blocking: v.boolean(),
  title: v.exactOptional(v.string()),
});
export type DecisionReference = v.InferOutput<typeof DecisionReference>;

export const MissionUpdate = v.strictObject({
  missionId: FilledLine,
  missionState: FilledLine,
  targetStatus: v.exactOptional(CanonicalStatus),
  summary: v.exactOptional(Line),
  missionUrl: v.exactOptional(Line),
  decisionReferences: v.array(DecisionReference),
});
export type MissionUpdate = v.InferOutput<typeof MissionUpdate>;

export interface MissionSeed
  extends Pick<IssueFields, "title" | "body" | "status" | "priority" | "assignees" | "labels"> {
  readonly missionId: string;
  readonly sourceIssueRef: ExternalRef;
  readonly decisionReferences: readonly DecisionReference[];
}

export interface PublishedMission {
  readonly issue: CanonicalIssue;
  /** Parts of the update that the provider has no place for. */
  readonly omitted: readonly ("custom_field" | "links" | "comment")[];
}

/** @param missionId Default: `mission:` and the issue's identity */
export function missionSeedFromIssue(
  issue: CanonicalIssue,
  missionId = `mission:${identityOf(issue.ref)}`,
): MissionSeed {
  const { ref, title, body, status, priority, assignees, labels, customFields } = issue;
  return {
    missionId,
    sourceIssueRef: ref,
    title,
    body,
    status,
    priority,
    assignees,
    labels,
    decisionReferences: decisionReferencesIn(customFields[DECISIONS_FIELD]),
  };
}

/**
 * Publishes a mission's state to its issue: the custom fields of the mission and its decisions, a
 * `blocked_by` link for each blocking decision that is an issue of the same tracker and workspace, one
 * comment, and the status last. Parts that the provider does not support are named in `omitted`; the comment
 * names every decision.
 *
 * Publishing the same update again changes nothing and adds no comment, also after a failure in between.
 *
 * @param read The issue, if the caller has just read it
 * @throws ConnectorRequestError when the update is malformed (`invalid`), or the provider did not save it
 * (`contract`)
 * @throws TrackerSdkError of the connector; a refused status loses nothing else
 */
export async function publishMissionUpdate(
  connector: TrackerConnector,
  issueRef: ExternalRef,
  update: MissionUpdate,
  read: CanonicalIssue | null = null,
): Promise<PublishedMission> {
  const parsed = v.safeParse(MissionUpdate, update);
  if (!parsed.success) {
    const [problem] = parsed.issues;
    throw failure(connector, "invalid", `update.${v.getDotPath(problem) ?? ""}: ${problemOf(problem)}`);
  }
  const { targetStatus, decisionReferences } = parsed.output;
  const { customFields, customFieldNames, dependencies, comments } = connector.capabilities();
  const updateFields = Object.entries(missionFieldsOf(parsed.output));
  const fields = updateFields.filter(([name]) => customFields && customFieldNames?.includes(name) !== false);
  const blockers = decisionReferences
    .filter(({ blocking }) => blocking)
    .flatMap(({ externalRef }) => (externalRef === undefined ? [] : [externalRef]))
    .map((target): CanonicalLink => ({ type: "blocked_by", target }));
  const wanted = dependencies ? blockers.filter(({ target }) => isReachable(connector, target)) : [];
  if (targetStatus !== undefined) {
    assertSupported(connector.provider, connector.capabilities(), { status: targetStatus });
  }

  const before = read ?? (await connector.getIssue(issueRef));
  let issue = await writeFields(connector, before, Object.fromEntries(fields));
  const links: CanonicalLink[] = [];
  for (const link of wanted) {
    const linked: CanonicalIssue | null = hasLink(issue, link)
      ? issue
      : await linkedIssue(connector, issue, link);
    if (linked === null) continue;
    issue = linked;
    links.push(link);
  }
  const isSaid = comments && (await commentOnce(connector, issueRef, missionComment(parsed.output)));
  if (targetStatus !== undefined && issue.status !== targetStatus) {
    issue = await connector.transitionIssue(issueRef, targetStatus, {
      idempotencyKey: writeKey("status", before, targetStatus),
      current: issue,
    });
  } else if (issue !== before || isSaid) {
    issue = await connector.getIssue(issueRef);
  }
  const unsaved = [
    ...fields
      .filter(([name, value]) => !hasField(issue, name, value))
      .map(([name]) => `the custom field ${name}`),
    ...(links.every((link) => hasLink(issue, link)) ? [] : ["a link"]),
    ...(targetStatus !== undefined && issue.status !== targetStatus ? ["the status"] : []),
  ];
  if (unsaved.length > 0) {
    const message = `${providerName(connector.provider)} did not save ${unsaved.join(", ")} of the update to ${issueRef.id}.`;
    throw failure(connector, "contract", message);
  }
  return {
    issue,
    omitted: [
      ...(fields.length === updateFields.length ? [] : ["custom_field" as const]),
      ...(links.length === blockers.length ? [] : ["links" as const]),
      ...(comments ? [] : ["comment" as const]),
    ],
  };
}

/** The comment of an update: one fact per line in a fixed order, empty ones omitted. */
export function missionComment(update: MissionUpdate): string {
  const { missionId, missionState, summary, missionUrl, decisionReferences } = v.parse(MissionUpdate, update);
  const fields: readonly (readonly [string, string | undefined])[] = [
    ["Spec Kitty mission update", missionId],
    ["State", missionState],
    ["Summary", summary],
    ["Mission", missionUrl],
    ["Decision refs", decisionReferences.map(({ id }) => id).join(", ")],
  ];
  return fields.flatMap(([name, fact]) => (fact ? [`${name}: ${fact}`] : [])).join("\n");
}

/** A reference as people and other programs write it; an id alone blocks nothing. */
const WrittenReference = v.union([
  v.pipe(
    FilledLine,
    v.transform((id) => ({ id, blocking: false, title: undefined, externalRef: undefined })),
  ),
  v.pipe(
    v.object({
      id: FilledLine,
      blocking: v.fallback(v.boolean(), false),
      title: v.optional(v.unknown()),
      externalRef: v.optional(v.unknown()),
      external_ref: v.optional(v.unknown()),
    }),
    v.transform(({ external_ref, externalRef = external_ref, ...rest }) => ({ ...rest, externalRef })),
  ),
]);

/** A list, or text that contains one. Other values and repeated ids are skipped. */
function decisionReferencesIn(value: JsonValue | undefined): readonly DecisionReference[] {
  const references = new Map<string, DecisionReference>();
  for (const entry of listIn(value)) {
    const written = v.safeParse(WrittenReference, entry);
    if (!written.success || references.has(written.output.id)) continue;
    const { id, blocking } = written.output;
    const title = v.safeParse(v.string(), written.output.title);
    const externalRef = v.safeParse(ExternalRef, written.output.externalRef);
    references.set(id, {
      id,
      blocking,
      ...(title.success && { title: title.output }),
      ...(externalRef.success && { externalRef: externalRef.output }),
    });
  }
  return [...references.values()];
}

function listIn(value: JsonValue | undefined): readonly unknown[] {
  const List = v.array(v.unknown());
  const list = v.safeParse(v.union([List, jsonText(List)]), value);
  return list.success ? list.output : [];
}

/** The custom fields of an update; without decisions, the present ones stay. */
function missionFieldsOf({ missionId, decisionReferences }: MissionUpdate): Record<string, JsonValue> {
  const decisions = decisionReferences.map(({ id, blocking, title, externalRef }) => ({
    id,
    blocking,
    ...(title !== undefined && { title }),
    ...(externalRef !== undefined && { externalRef }),
  }));
  return { [MISSION_FIELD]: missionId, ...(decisions.length > 0 && { [DECISIONS_FIELD]: decisions }) };
}

function hasField({ customFields }: CanonicalIssue, name: string, value: JsonValue): boolean {
  return canonicalJson(customFields[name] ?? null) === canonicalJson(value);
}

/** Writes fields next to the other custom fields of that moment. Returns the issue afterwards. */
async function writeFields(
  connector: TrackerConnector,
  issue: CanonicalIssue,
  fields: Readonly<Record<string, JsonValue>>,
): Promise<CanonicalIssue> {
  let current = issue;
  const isMissing = ([name, value]: readonly [string, JsonValue]) => !hasField(current, name, value);
  for (let attempt = 1; Object.entries(fields).some(isMissing); attempt++) {
    const customFields = { ...current.customFields, ...fields };
    const { revision } = current;
    const guard =
      connector.capabilities().conditionalWrites && revision !== null ? { expectedRevision: revision } : {};
    try {
      const idempotencyKey = writeKey("custom_field", current, canonicalJson(fields));
      const options = { idempotencyKey, ...guard, current, readBack: "later" } as const;
      return await connector.updateIssue(issue.ref, { customFields }, options);
    } catch (error) {
      const changed = error instanceof TrackerSdkError && error.failureClass === "conflict";
      if (!changed || attempt === MAX_UPDATE_ATTEMPTS) throw error;
      current = await connector.getIssue(issue.ref);
    }
  }
  return current;
}

/** Links the issue; null when the tracker turns out not to support that link, as on a lower plan. */
async function linkedIssue(
  connector: TrackerConnector,
  current: CanonicalIssue,
  link: CanonicalLink,
): Promise<CanonicalIssue | null> {
  try {
    return await connector.upsertLink(current.ref, link, { current, readBack: "later" });
  } catch (error) {
    if (error instanceof CapabilityNotSupportedError) return null;
    throw error;
  }
}

/** Adds the comment unless an equal one exists. Returns true when it was added. */
async function commentOnce(connector: TrackerConnector, ref: ExternalRef, body: string): Promise<boolean> {
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<TrackerConnector["listComments"]>> = await connector.listComments(
      ref,
      cursor ?? undefined,
    );
    if (page.items.some((comment) => linesOf(comment.body) === body)) return false;
    cursor = page.nextCursor;
  } while (cursor !== null);
  await connector.addComment(ref, body, { idempotencyKey: digest(["comment", identityOf(ref), body]) });
  return true;
}

/** Text without the changes that providers make to line ends and blank lines. */
function linesOf(text: string): string {
  const lines = text.split(/\r\n|\r|\n/).map((line) => line.trim());
  return lines.filter((line) => line !== "").join("\n");
}

function isReachable(connector: TrackerConnector, { system, workspace }: ExternalRef): boolean {
  return system === connector.provider && workspace === connector.workspace;
}

function hasLink(issue: CanonicalIssue, { type, target }: CanonicalLink): boolean {
  return issue.links.some((link) => link.type === type && identityOf(link.target) === identityOf(target));
}

/** The key of a write to the issue's current state; a changed issue needs another key. */
function writeKey(part: string, issue: CanonicalIssue, value: string): string {
  return digest([part, identityOf(issue.ref), issue.revision ?? issue.updatedAt, value]);
}

function digest(parts: readonly string[]): string {
  return createHash("sha256").update(canonicalJson(parts)).digest("hex");
}

function failure(
  { provider }: TrackerConnector,
  failureClass: "invalid" | "contract",
  message: string,
): ConnectorRequestError {
  return new ConnectorRequestError(message, { provider, failureClass });
}
