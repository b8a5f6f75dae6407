import type { PullResult } from "../../../protocol.ts";
import { type PullOrder, pullPages } from "../../../service/pull.ts";
import { InterruptedError } from "../../../shared/errors.ts";
import { count, toJsonLine } from "../../../shared/text.ts";
import { defineAction } from "../../argv.ts";
import { HINTS } from "../../hints.ts";
import { interruptible } from "../../interruption.ts";
import { type Invocation, payloadOf, print, withService } from "../../invocation.ts";
import { openDestination } from "../../output.ts";
import { withProgress } from "../../progress.ts";
import { styleOf } from "../../render/style.ts";
import { renderSync } from "../../render/sync.ts";
import { DEFAULT_PAGE, MAX_PAGE, pageLimit } from "./page-limit.ts";
import { showSync, syncExitCode } from "./show-sync.ts";

export const pullCommand = defineAction({
  description: "Fetch changes since the last pull",
  args: {
    limit: {
      type: "string",
      valueHint: "N",
      description: `Issues per page, up to ${MAX_PAGE.toLocaleString("en-US")}; ${DEFAULT_PAGE} by default (hosted providers)`,
    },
    all: { type: "boolean", description: "All pages; one by default" },
    full: { type: "boolean", description: "All issues, not only changes since the last pull; all pages" },
    out: {
      type: "string",
      valueHint: "FILE",
      description:
        "Write the issues to FILE, or with - to standard output, one JSON object per line. An interrupted pull starts again, so that FILE is complete",
    },
  },
  run: async (invocation, { limit, all, full, out }) => {
    const order = { limit, all: all || full, reread: rereadOf(full, out) };
    if (out !== undefined) return pullToFile(invocation, order, out);
    return pullToScreen(invocation, order);
  },
});

/** A file that is rewritten has to start at the same place as before. */
function rereadOf(isFull: boolean, out: string | undefined): PullOrder["reread"] {
  if (isFull) return "everything";
  return out === undefined ? null : "interrupted";
}

/** `--json` prints all issues; other output only their number, so none is kept. */
async function pullToScreen(invocation: Invocation, order: Order): Promise<number> {
  const items: PullResult["items"] = [];
  const result = await pull(invocation, order, {
    onPage: (page) => {
      if (invocation.globals.json) items.push(...page);
    },
    whenCutShort: HINTS.pullInterrupted,
  });
  return showSync(invocation, { kind: "pull", result: { ...result, items } });
}

/** Writes each page as it arrives. The file appears when it is complete. */
async function pullToFile(invocation: Invocation, order: Order, out: string): Promise<number> {
  const { file, path } = openDestination(invocation, out);
  try {
    const answer = await pull(invocation, order, {
      onPage: (page) => file.append(page.map(toJsonLine).join("")),
      whenCutShort: HINTS.pullToFileInterrupted(out),
    });
    file.finish();
    if (path === null) {
      const { io } = invocation;
      io.stderr.write(renderSync({ kind: "pull", result: answer }, await styleOf(io, io.stderr)));
      return syncExitCode({ kind: "pull", result: answer });
    }
    const { items: _, ...summary } = answer;
    const payload = payloadOf(invocation, { ...summary, out: path });
    const outcome = { kind: "pull", result: answer } as const;
    await print(invocation, payload, (_, style) => renderSync(outcome, style, path));
    return syncExitCode(outcome);
  } finally {
    file.discard();
  }
}

interface Order extends Omit<PullOrder, "limit"> {
  readonly limit: string | undefined;
}

interface PullSink {
  readonly onPage: (page: PullResult["items"]) => void;
  readonly whenCutShort: string;
}

function pull(invocation: Invocation, order: Order, { onPage, whenCutShort }: PullSink): Promise<PullResult> {
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
    // Without this hint, people pull everything again.
    if (taken > 0 && !(error instanceof InterruptedError)) {
      invocation.log.info(`Pulled ${count(taken, "issue")}. ${whenCutShort}`);
    }
    throw error;
  });
}
