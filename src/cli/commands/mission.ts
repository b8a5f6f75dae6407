import { defineCommand, type ParsedArgs } from "citty";
import { checkMissionUpdate, parseMissionUpdate } from "../../service/input.ts";
import type { BoundResult, BoundTracker, MissionPublishResponse, MissionUpdate } from "../../service.ts";
import { UsageError } from "../../shared/errors.ts";
import { toJson } from "../../shared/text.ts";
import { givenFlags, readInput, valuesOf } from "../input.ts";
import { type Invocation, payloadOf, print, required, withService } from "../invocation.ts";
import { openDestination } from "../output.ts";
import { renderPublished, renderSeed } from "../render/mission.ts";
import { withWork } from "./sync/work.ts";

const ISSUE = {
  type: "string",
  valueHint: "KEY",
  description: "Issue that the mission is about, such as PAY-7",
} as const;

/** `tracker mission` */
export function missionCommand(invocation: Invocation) {
  return defineCommand({
    meta: { name: "mission", description: "Start a mission from an issue, and tell the issue how it goes" },
    subCommands: { seed: () => seedCommand(invocation), publish: () => publishCommand(invocation) },
  });
}

function seedCommand(invocation: Invocation) {
  const args = {
    issue: ISSUE,
    "mission-id": { type: "string", valueHint: "ID", description: "Made from the issue by default" },
    out: {
      type: "string",
      valueHint: "FILE",
      description: "Write what the mission starts from as JSON to FILE, or with - to standard output",
    },
  } as const;
  return defineCommand({
    meta: { name: "seed", description: "Read what a mission about an issue starts from" },
    args,
    run: async ({ args }) => {
      const issue = required("--issue", args.issue, "tracker mission seed --issue PAY-7");
      const destination = args.out === undefined ? null : openDestination(invocation, args.out);
      try {
        const answer = await withService(invocation, async (service) => {
          const tracker = await service.boundTracker();
          const activity = { title: "Reading", noun: "issue", fromStart: true } as const;
          return withWork(invocation, activity, () => tracker.seedMission(issue, args["mission-id"] ?? null));
        });
        const { binding_ref: _, display_label: _label, provider_context: _context, ...seed } = answer.result;
        destination?.file.append(toJson(seed));
        destination?.file.finish();
        if (destination?.path === null) return;
        const path = destination?.path;
        const payload: Readonly<Record<string, unknown>> = payloadOf(answer);
        await print(invocation, path === undefined ? payload : { ...payload, out: path }, (_payload, style) =>
          renderSeed(answer.result, style, path),
        );
      } finally {
        destination?.file.discard();
      }
    },
  });
}

const PUBLISH_ARGS = {
  issue: ISSUE,
  "mission-id": { type: "string", valueHint: "ID", description: "Mission that the update is about" },
  state: { type: "string", valueHint: "STATE", description: "State of the mission, in its own words" },
  status: { type: "string", valueHint: "STATUS", description: "Status that the issue gets" },
  summary: { type: "string", valueHint: "TEXT", description: "What there is to say, in a line" },
  url: { type: "string", valueHint: "URL", description: "Where the mission can be looked at" },
  decision: {
    type: "string",
    valueHint: "ID[=ISSUE]",
    description: "Decision of the mission, and the key of its issue; repeatable",
  },
  "blocking-decision": {
    type: "string",
    valueHint: "ID[=ISSUE]",
    description:
      "Decision that the mission waits for: the issue becomes blocked by the decision's; repeatable",
  },
  "update-json": {
    type: "string",
    valueHint: "FILE|-",
    description: "The update as JSON, instead of all flags but --issue",
  },
} as const;

function publishCommand(invocation: Invocation) {
  return defineCommand({
    meta: {
      name: "publish",
      description: "Tell an issue how its mission goes; the same update twice changes nothing",
    },
    args: PUBLISH_ARGS,
    run: async ({ args, rawArgs }) => {
      const issue = required("--issue", args.issue, EXAMPLE);
      const update = await updateOf(invocation, args, rawArgs);
      const decisions = givenFlags(["decision", "blocking-decision"], rawArgs).map(({ flag, value }) =>
        decisionOf(value, flag === "decision" ? "open" : "blocking"),
      );
      const answer = await withService(invocation, async (service) => {
        const tracker = await service.boundTracker();
        return withWork(invocation, PUBLISHING, async (listener) => {
          const decision_references = [
            ...update.decision_references,
            ...(await resolveAll(tracker, decisions)),
          ];
          return tracker.publishMission(issue, { ...update, decision_references }, listener);
        });
      });
      return showPublished(invocation, answer);
    },
  });
}

/** Prints an issue that a mission's update was published to. */
export function showPublished(
  invocation: Invocation,
  answer: BoundResult<MissionPublishResponse>,
): Promise<void> {
  return print(invocation, payloadOf(answer), (_, style) => renderPublished(answer.result, style));
}

const PUBLISHING = {
  title: "Publishing",
  noun: "issue",
  fromStart: true,
  whenInterrupted: "It may have been done. Run it again: the same update twice changes nothing.",
} as const;

const EXAMPLE = "tracker mission publish --issue PAY-7 --mission-id M-1 --state implementing";

/** Flags that `--update-json` takes the place of. */
const UPDATE_FLAGS = ["mission-id", "state", "status", "summary", "url", "decision", "blocking-decision"];

/** The update that the flags tell, or the file; decisions that flags name come later. */
async function updateOf(
  invocation: Invocation,
  flags: ParsedArgs<typeof PUBLISH_ARGS>,
  tokens: readonly string[],
): Promise<MissionUpdate> {
  const file = flags["update-json"];
  if (file !== undefined) {
    const also = UPDATE_FLAGS.find((name) => valuesOf(name, tokens).length > 0);
    if (also !== undefined) throw new UsageError(`--update-json and --${also} cannot be used together.`);
    return parseMissionUpdate(await readInput(invocation, "update-json", file));
  }
  return checkMissionUpdate({
    mission_id: required("--mission-id", flags["mission-id"], EXAMPLE),
    mission_state: required("--state", flags.state, EXAMPLE),
    target_status: flags.status ?? null,
    summary: flags.summary ?? null,
    mission_url: flags.url ?? null,
    decision_references: [],
  });
}

interface Decision {
  readonly id: string;
  /** Key of the issue that it is tracked as; null when it is none. */
  readonly issue: string | null;
  readonly weight: "open" | "blocking";
}

/** `ID` or `ID=ISSUE`; the last `=` counts, as an id may hold one and a key does not. */
function decisionOf(text: string, weight: Decision["weight"]): Decision {
  const at = text.lastIndexOf("=");
  const id = at < 0 ? text : text.slice(0, at);
  const issue = at < 0 ? null : text.slice(at + 1);
  if (id !== "" && issue !== "") return { id, issue, weight };
  throw new UsageError(`A decision is ID or ID=ISSUE, not "${text}".`, {
    hint: "For example: --decision D-1=PAY-9",
  });
}

/** Decisions with the references of their issues, which the tracker knows by key. */
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
        external_ref: seed?.result.source_issue_ref ?? null,
      };
    }),
  );
}
