/** Resolves names of labels and users to Linear's ids. */
import * as v from "valibot";
import { ConnectorRequestError } from "../../errors.ts";
import { LABELS, USERS } from "./documents.ts";
import type { NativeIssue } from "./map.ts";
import { connection, everyNode, type LinearRequests } from "./requests.ts";

const Label = v.object({
  id: v.string(),
  name: v.string(),
  isGroup: v.boolean(),
  team: v.nullable(v.object({ id: v.string() })),
});
type Label = v.InferOutput<typeof Label>;

const Labels = v.object({ issueLabels: connection(Label) });

const Users = v.object({
  users: v.object({
    nodes: v.array(v.object({ id: v.string(), displayName: v.string(), email: v.string() })),
  }),
});

/**
 * Ids of labels by name, among the team's and the workspace's; inherited labels count as the team's.
 *
 * @throws ConnectorRequestError (`invalid`) naming a label that is missing, a group, or ambiguous
 */
export async function labelIds(
  requests: LinearRequests,
  teamId: string,
  names: readonly string[],
): Promise<readonly string[]> {
  if (names.length === 0) return [];
  const filter = {
    name: { in: names },
    or: [{ team: { id: { eq: teamId } } }, { team: { null: true } }],
  };
  const read = async (after: string | null) =>
    (await requests.request(LABELS, { filter, after }, Labels)).issueLabels;
  const labels = await everyNode(await read(null), read);
  return names.map((name) =>
    onlyLabel(
      name,
      labels.filter((label) => label.name === name),
    ),
  );
}

function onlyLabel(name: string, found: readonly Label[]): string {
  const labels = found.filter(({ isGroup }) => !isGroup);
  const own = labels.filter(({ team }) => team !== null);
  const [label, other] = own.length > 0 ? own : labels;
  if (label === undefined) {
    throw invalid(
      found.length > 0
        ? `"${name}" is a group of labels in Linear; issues have one of its labels instead.`
        : `Linear has no label "${name}" for this team. Create labels in the team's settings.`,
    );
  }
  if (other !== undefined) throw invalid(`Linear has more than one label "${name}" for this team.`);
  return label.id;
}

/** The labels to add and to remove, so that another user's additions stay. */
export async function labelDelta(
  requests: LinearRequests,
  teamId: string,
  { labels: { nodes: current } }: Pick<NativeIssue, "labels">,
  wanted: readonly string[],
): Promise<{ readonly addedLabelIds?: readonly string[]; readonly removedLabelIds?: readonly string[] }> {
  const added = wanted.filter((name) => current.every((label) => label.name !== name));
  const removed = current.filter(({ name }) => !wanted.includes(name));
  return {
    ...(added.length > 0 && { addedLabelIds: await labelIds(requests, teamId, [...new Set(added)]) }),
    ...(removed.length > 0 && { removedLabelIds: removed.map(({ id }) => id) }),
  };
}

/**
 * The user's id by display name, which is unique within an organization.
 *
 * @throws ConnectorRequestError (`invalid`) naming an unknown user
 */
export async function userId(requests: LinearRequests, displayName: string): Promise<string> {
  const filter = { or: [{ displayName: { eq: displayName } }, { email: { eqIgnoreCase: displayName } }] };
  const { nodes } = (await requests.request(USERS, { filter }, Users)).users;
  const user = nodes.find((node) => node.displayName === displayName);
  if (user !== undefined) return user.id;
  const [owner] = nodes;
  // Issues are read with display names, so an address would never be read back.
  throw invalid(
    owner === undefined
      ? `Linear has no active user "${displayName}". Assignees are display names.`
      : `"${displayName}" is an e-mail address. Assignees are display names, here "${owner.displayName}".`,
  );
}

function invalid(message: string): ConnectorRequestError {
  return new ConnectorRequestError(message, { provider: "linear", failureClass: "invalid" });
}
