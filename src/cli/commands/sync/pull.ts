import { defineCommand } from "citty";
import { type PullOrder, pullPages } from "../../../service/pull.ts";
import type { BoundResult, PullResult } from "../../../service.ts";
import { InterruptedError } from "../../../shared/errors.ts";
import { count, shellWord, toJsonLine } from "../../../shared/text.ts";
import { interruptible } from "../../interruption.ts";
import { type Invocation, payloadOf, print, withService } from "../../invocation.ts";
import { openDestination } from "../../output.ts";
import { withProgress } from "../../progress.ts";
import { styleOf } from "../../render/style.ts";
import { renderSync } from "../../render/sync.ts";
import { DEFAULT_PAGE, MAX_PAGE, pageLimit, showSync, syncExitCode } from "./work.ts";

/** `tracker sync pull` */
export function pullCommand(invocation: Invocation) {
  const args = {
    limit: {
      type: "string",
      valueHint: "N",
      description: `Issues a page, up to ${MAX_PAGE.toLocaleString("en-US")}; ${DEFAULT_PAGE} by default (hosted providers)`,
    },
    all: { type: "boolean", description: "All pages; one by default" },
    full: {
      type: "boolean",
      description: "Everything again, not only what changed since the last pull; all pages",
    },
    out: {
      type: "string",
      valueHint: "FILE",
      description:
        "Write the issues to FILE, or with - to standard output, one JSON object a line. What an interrupted pull had taken in is read again, so that nothing is missing",
    },
  } as const;
  return defineCommand({
    meta: { name: "pull", description: "Take in what changed at the tracker since the last pull" },
    args,
    run: async ({ args }) => {
      const order = {
        limit: args.limit,
        all: args.all === true || args.full === true,
        reread: rereadOf(args.full === true, args.out),
      };
      if (args.out !== undefined) return pullToFile(invocation, order, args.out);
      return pullToScreen(invocation, order);
    },
  });
}

/** A file that is begun again begins where the pull of its predecessor did. */
function rereadOf(isFull: boolean, out: string | undefined): PullOrder["reread"] {
  if (isFull) return "everything";
  return out === undefined ? null : "interrupted";
}

/** Programs are given the issues of all pages, people their number: then none is kept. */
async function pullToScreen(invocation: Invocation, order: Order): Promise<number> {
  const items: PullResult["items"] = [];
  const { result, pendingUpgrade } = await pull(invocation, order, {
    onPage: (page) => {
      if (invocation.globals.json) items.push(...page);
    },
    whenCutShort: "The next `tracker sync pull --all` goes on where this one stopped.",
  });
  return showSync(invocation, { kind: "pull", result: { ...result, items } }, pendingUpgrade);
}

/** The file is there when all of it is, and each page is written as it comes. */
async function pullToFile(invocation: Invocation, order: Order, out: string): Promise<number> {
  const { file, path } = openDestination(invocation, out);
  try {
    const answer = await pull(invocation, order, {
      onPage: (page) => file.append(page.map(toJsonLine).join("")),
      whenCutShort: [
        `${out} was not written. The next \`tracker sync pull --all\` goes on where this one stopped;`,
        `with --out ${shellWord(out)} it begins again, so that nothing is missing from the file.`,
      ].join(" "),
    });
    file.finish();
    if (path === null) {
      const { io } = invocation;
      io.stderr.write(renderSync({ kind: "pull", result: answer.result }, await styleOf(io, io.stderr)));
      return syncExitCode({ kind: "pull", result: answer.result });
    }
    const { items: _, ...summary } = answer.result;
    const payload = payloadOf({ result: { ...summary, out: path }, pendingUpgrade: answer.pendingUpgrade });
    const outcome = { kind: "pull", result: answer.result } as const;
    await print(invocation, payload, (_, style) => renderSync(outcome, style, path));
    return syncExitCode(outcome);
  } finally {
    file.discard();
  }
}

/** What is pulled, as it was asked for. */
interface Order extends Omit<PullOrder, "limit"> {
  readonly limit: string | undefined;
}

interface PullSink {
  readonly onPage: (page: PullResult["items"]) => void;
  /** What to do next when it ends early. */
  readonly whenCutShort: string;
}

function pull(
  invocation: Invocation,
  order: Order,
  { onPage, whenCutShort }: PullSink,
): Promise<BoundResult<PullResult>> {
  let taken = 0;
  return withService(invocation, async (service) => {
    const tracker = await service.boundTracker();
    const limit = pageLimit(tracker, order.limit);
    const activity = { title: "Pulling", noun: "issue", fromStart: true } as const;
    return withProgress(invocation, activity, (show) =>
      interruptible(
        invocation,
        (signal) =>
          pullPages(
            tracker,
            { ...order, limit },
            {
              signal,
              onPage: (page, soFar) => {
                onPage(page);
                taken = soFar;
                if (order.all && soFar > 0) show({ done: soFar, total: null });
              },
              onProgress: (soFar) => {
                if (soFar > 0) show({ done: soFar, total: null });
              },
            },
          ),
        () => whenCutShort,
      ),
    );
  }).catch((error: unknown) => {
    // What was pulled before stays; who does not know that would begin anew.
    if (taken > 0 && !(error instanceof InterruptedError)) {
      invocation.log.info(`${count(taken, "issue")} came in. ${whenCutShort}`);
    }
    throw error;
  });
}
