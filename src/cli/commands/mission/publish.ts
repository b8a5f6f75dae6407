import type { MissionUpdate } from "../../../client.ts";
import type { MissionPublishResponse } from "../../../protocol.ts";
import type { BoundTracker } from "../../../service/bindings.ts";
import { checkMissionUpdate, parseMissionUpdate } from "../../../service/input.ts";
import { UsageError } from "../../../shared/errors.ts";
import { type ArgumentDefs, type Arguments, defineAction, type GivenFlag } from "../../argv.ts";
import { HINTS } from "../../hints.ts";
import { readInput } from "../../input.ts";
import { type Invocation, payloadOf, print, withService } from "../../invocation.ts";
import { withJob } from "../../job.ts";
import { renderPublished } from "../../render/mission.ts";
import { CONSENT_ARGS, withConsent } from "../sync/consent.ts";
import { ISSUE } from "./issue-argument.ts";

const ARGS = {
  issue: ISSUE,
  "mission-id": { type: "string", valueHint: "ID", description: "Mission that the update is about" },
  state: { type: "string", valueHint: "STATE", description: "State of the mission, as free text" },
  status: { type: "string", valueHint: "STATUS", description: "New status of the issue" },
  summary: { type: "string", valueHint: "TEXT", description: "Progress in one line" },
  url: { type: "string", valueHint: "URL", description: "Address of the mission" },
  decision: {
    type: "string",
    repeatable: true,
    valueHint: "ID[=ISSUE]",
    description: "Decision of the mission, and the key of its issue; repeatable",
  },
  "blocking-decision": {
    type: "string",
    repeatable: true,
    valueHint: "ID[=ISSUE]",
    description:
      "Decision that the mission waits for: the issue becomes blocked by the decision's; repeatable",
  },
  "update-json": {
    type: "string",
    valueHint: "FILE|-",
    description: "The update as JSON, instead of all flags but --issue",
  },
  ...CONSENT_ARGS,
} as const satisfies ArgumentDefs;

export const publishCommand = defineAction({
  description: "Publish a mission's progress to its issue; the same update twice changes nothing",
  args: ARGS,
  run: async (invocation, args, given) => {
    const update = await updateOf(invocation, args, given);
    const decisions = given.flatMap(({ flag, value }) => {
      if (flag === "decision") return decisionOf(value, "open");
      return flag === "blocking-decision" ? decisionOf(value, "blocking") : [];
    });
    const answer = await withService(invocation, async (service) => {
      const tracker = await service.boundTracker();
      const write = () =>
        withJob(invocation, PUBLISHING, async (listener) => {
          const decision_references = [
            ...update.decision_references,
            ...(await resolveAll(tracker, decisions)),
          ];
          return tracker.publishMission(args.issue, { ...update, decision_references }, listener);
        });
      return withConsent(invocation, service, args.yes, write);
    });
    return showPublished(invocation, answer);
  },
});

export function showPublished(invocation: Invocation, answer: MissionPublishResponse): Promise<void> {
  return print(invocation, payloadOf(invocation, answer), (_, style) => renderPublished(answer, style));
}

const PUBLISHING = {
  title: "Publishing",
  noun: "issue",
  fromStart: true,
  whenInterrupted: HINTS.publishInterrupted,
} as const;

/** Flags that `--update-json` replaces. */
const UPDATE_FLAGS = ["mission-id", "state", "status", "summary", "url", "decision", "blocking-decision"];

/** The update without the decisions in flags. */
async function updateOf(
  invocation: Invocation,
  flags: Arguments<typeof ARGS>,
  given: readonly GivenFlag[],
): Promise<MissionUpdate> {
  const file = flags["update-json"];
  if (file !== undefined) {
    const also = UPDATE_FLAGS.find((name) => given.some(({ flag }) => flag === name));
    if (also !== undefined) throw new UsageError(`--update-json and --${also} cannot be used together.`);
    return parseMissionUpdate(await readInput(invocation, "update-json", file));
  }
  return checkMissionUpdate({
    mission_id: required("mission-id", flags["mission-id"]),
    mission_state: required("state", flags.state),
    target_status: flags.status ?? null,
    summary: flags.summary ?? null,
    mission_url: flags.url ?? null,
    decision_references: [],
  });
}

/** Only `--update-json` makes the flag optional. */
function required(flag: string, value: string | undefined): string {
  if (value !== undefined) return value;
  throw new UsageError(`--${flag} is missing.`, { hint: HINTS.example("mission publish") });
}

interface Decision {
  readonly id: string;
  /** The key of the decision's issue. */
  readonly issue: string | null;
  readonly weight: "open" | "blocking";
}

/** Parses `ID` or `ID=ISSUE`. The last `=` separates: an ID may contain one, a key does not. */
function decisionOf(text: string, weight: Decision["weight"]): Decision {
  const at = text.lastIndexOf("=");
  const id = at < 0 ? text : text.slice(0, at);
  const issue = at < 0 ? null : text.slice(at + 1);
  if (id !== "" && issue !== "") return { id, issue, weight };
  throw new UsageError(`A decision is ID or ID=ISSUE, not "${text}".`, {
    hint: HINTS.flagExample("decision", "D-1=PAY-9"),
  });
}

function resolveAll(
  tracker: BoundTracker,
  decisions: readonly Decision[],
): Promise<MissionUpdate["decision_references"]> {
  return Promise.all(
    decisions.map(async ({ id, issue, weight }) => {
      const seed = issue === null ? null : await tracker.seedMission(issue, null);
      return {
        id,
        blocking: weight === "blocking",
        title: null,
        external_ref: seed?.source_issue_ref ?? null,
      };
    }),
  );
}
