import { defineCommand } from "citty";
import { parsePushItems } from "../../service/input.ts";
import { UsageError } from "../../shared/errors.ts";
import { readInput } from "../input.ts";
import { type Invocation, required, withService } from "../invocation.ts";
import { showPublished } from "./mission.ts";
import { conflictsCommand, resolveCommand } from "./sync/conflicts.ts";
import { pullCommand } from "./sync/pull.ts";
import { DEFAULT_PAGE, MAX_PAGE, pageLimit, showSync, withWork } from "./sync/work.ts";

/** `tracker sync` */
export function syncCommand(invocation: Invocation) {
  return defineCommand({
    meta: { name: "sync", description: "Synchronize with the tracker that this project is bound to" },
    subCommands: {
      pull: () => pullCommand(invocation),
      push: () => pushCommand(invocation),
      run: () => runCommand(invocation),
      wait: () => waitCommand(invocation),
      conflicts: () => conflictsCommand(invocation),
      resolve: () => resolveCommand(invocation),
      publish: () => publishCommand(),
    },
  });
}

function pushCommand(invocation: Invocation) {
  const args = {
    "items-json": {
      type: "string",
      valueHint: "FILE|-",
      description: "What to write: a JSON array of items; needed by hosted providers",
    },
  } as const;
  return defineCommand({
    meta: { name: "push", description: "Write changes to issues of the tracker" },
    args,
    run: async ({ args }) => {
      const file = args["items-json"];
      const items =
        file === undefined ? null : parsePushItems(await readInput(invocation, "items-json", file));
      const answer = await withService(invocation, async (service) => {
        const tracker = await service.boundTracker();
        const activity = {
          title: "Pushing",
          noun: "item",
          whenInterrupted:
            "It may have been done, in part or in full. Look before you push it again: tracker issues list",
        };
        return withWork(invocation, activity, (listener) => tracker.push(items, listener));
      });
      return showSync(invocation, { kind: "push", result: answer.result }, answer.pendingUpgrade);
    },
  });
}

function runCommand(invocation: Invocation) {
  const args = {
    limit: {
      type: "string",
      valueHint: "N",
      description: `Pull at most N issues, up to ${MAX_PAGE.toLocaleString("en-US")}; ${DEFAULT_PAGE} by default (hosted providers)`,
    },
    "dry-run": { type: "boolean", description: "Show what would be done, and write nothing" },
  } as const;
  return defineCommand({
    meta: { name: "run", description: "Pull what changed, then push what was edited" },
    args,
    run: async ({ args }) => {
      const isDry = args["dry-run"] === true;
      const answer = await withService(invocation, async (service) => {
        const tracker = await service.boundTracker();
        const limit = pageLimit(tracker, args.limit);
        const activity = isDry
          ? { title: "Planning", noun: "issue" }
          : {
              title: "Synchronizing",
              noun: "issue",
              whenInterrupted: "What was done stays. The next `tracker sync run` does the rest.",
            };
        return withWork(invocation, activity, (listener) =>
          tracker.run({ limit, ...(isDry && { dry_run: true }) }, listener),
        );
      });
      // A host's plan says that it is one; this one was asked for.
      const result = isDry ? { ...answer.result, dry_run: true } : answer.result;
      return showSync(invocation, { kind: "run", result }, answer.pendingUpgrade);
    },
  });
}

function waitCommand(invocation: Invocation) {
  const args = {
    id: {
      type: "positional",
      required: false,
      description: "Operation, as `sync push` or `sync run` named it",
    },
  } as const;
  return defineCommand({
    meta: {
      name: "wait",
      description: "Wait for a push, run or `mission publish` that takes longer, and show its result",
    },
    args,
    run: async ({ args }) => {
      const id = required(
        "The operation id",
        args.id,
        "tracker sync wait 6b0cf7d6-0a4f-4a3d-8f43-1f1d6a4b7c11",
      );
      const outcome = await withService(invocation, (service) =>
        withWork(invocation, { title: "Waiting", noun: "item" }, (listener) =>
          service.workOutcome(id, listener),
        ),
      );
      if (outcome.kind !== "publish") return showSync(invocation, outcome, null);
      return showPublished(invocation, { result: outcome.result, pendingUpgrade: null });
    },
  });
}

/** Refused before it is run; here it is explained. */
function publishCommand() {
  return defineCommand({
    meta: { name: "publish", description: "Refused: use `sync push` or `mission publish`" },
    run: () => {
      throw new UsageError("`sync publish` is refused for every provider.");
    },
  });
}
