/** Linear takes ids where people use names: labels and users by what they are called. */
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
 * Ids of the labels of these names that a team's issues can have: the team's
 * and those of the whole workspace. What a team inherits is in its own.
 *
 * @throws ConnectorRequestError (`invalid`) naming the label that is not there, is a group, or is not the only one
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
    (await requests.ask(LABELS, { filter, after }, Labels)).issueLabels;
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

/**
 * The labels to add to an issue and to remove from it, so that
 * labels which somebody else puts on it meanwhile stay.
 */
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
 * Id of the user of that display name, which is unique within an organization.
 *
 * @throws ConnectorRequestError (`invalid`) naming whom nobody knows
 */
export async function userId(requests: LinearRequests, displayName: string): Promise<string> {
  const filter = { or: [{ displayName: { eq: displayName } }, { email: { eqIgnoreCase: displayName } }] };
  const { nodes } = (await requests.ask(USERS, { filter }, Users)).users;
  const user = nodes.find((node) => node.displayName === displayName);
  if (user !== undefined) return user.id;
  const [owner] = nodes;
  // Issues are read with display names: an address would never be what is read back.
  throw invalid(
    owner === undefined
      ? `Linear has no active user "${displayName}". Assignees are display names.`
      : `"${displayName}" is an e-mail address. Assignees are display names, here "${owner.displayName}".`,
  );
}

function invalid(message: string): ConnectorRequestError {
  return new ConnectorRequestError(message, { provider: "linear", failureClass: "invalid" });
}
