/**
 * The command tree, and the only place where errors become exit codes. `run` is the whole program without its
 * real streams.
 */
import { defineCommand } from "citty";
import { type CommandLine, GLOBAL_ARGS, readCommandLine, runAction } from "./cli/argv.ts";
import { HINTS } from "./cli/hints.ts";
import { createInvocation, type Invocation } from "./cli/invocation.ts";
import type { Context } from "./shared/context.ts";
import {
  InterruptedError,
  NotAuthenticatedError,
  OutputClosedError,
  TrackerError,
  UsageError,
} from "./shared/errors.ts";
import { escapeText } from "./shared/text.ts";
import { VERSION } from "./shared/version.ts";

/** Each command is loaded when it is run. */
export const COMMAND_TREE = defineCommand({
  meta: {
    name: "tracker",
    description: "Binds a repository to its issue tracker by discovering the binding",
  },
  subCommands: {
    providers: async () => (await import("./cli/commands/providers.ts")).providersCommand,
    discover: async () => (await import("./cli/commands/discover.ts")).discoverCommand,
    bind: async () => (await import("./cli/commands/bind.ts")).bindCommand,
    unbind: async () => (await import("./cli/commands/unbind.ts")).unbindCommand,
    status: async () => (await import("./cli/commands/status.ts")).statusCommand,
    map: async () => (await import("./cli/commands/map.ts")).mapCommand,
    sync: async () => (await import("./cli/commands/sync.ts")).syncCommand,
    issues: async () => (await import("./cli/commands/issues.ts")).issuesCommand,
    mission: async () => (await import("./cli/commands/mission.ts")).missionCommand,
    auth: async () => (await import("./cli/commands/auth.ts")).authCommand,
    host: async () => (await import("./cli/commands/host.ts")).hostCommand,
    doctor: async () => (await import("./cli/commands/doctor.ts")).doctorCommand,
  },
});

/** Errors become exit codes here, and nowhere else. */
export const EXIT_CODES = [
  { code: 0, meaning: "Done." },
  {
    code: 1,
    meaning:
      "Failed: also a sync with something to look at, a stale binding, no candidates, or a selection that is required.",
  },
  { code: 2, meaning: "The command line is wrong; nothing was done." },
  { code: 4, meaning: "Not authenticated." },
  { code: 130, meaning: "Interrupted." },
] as const;

function exitCodeOf(error: unknown): number {
  if (error instanceof OutputClosedError) return 0;
  if (error instanceof UsageError) return 2;
  if (error instanceof NotAuthenticatedError) return 4;
  if (error instanceof InterruptedError) return 130;
  return 1;
}

/**
 * @param argv the arguments after the program's name
 * @returns the exit code
 */
export async function run(argv: readonly string[], context: Context): Promise<number> {
  const line = await readCommandLine(COMMAND_TREE, argv);
  const invocation = createInvocation(context, line.globals);
  try {
    return await dispatch(line, invocation);
  } catch (error) {
    const isQuiet =
      error instanceof OutputClosedError || (error instanceof InterruptedError && error.hint === null);
    if (!isQuiet) await report(error, invocation);
    return exitCodeOf(error);
  }
}

async function dispatch(line: CommandLine, invocation: Invocation): Promise<number> {
  const { io, globals } = invocation;
  const { path, command, wants, problem } = line;
  if (wants === "version") {
    io.stdout.write(`${VERSION}\n`);
    return 0;
  }
  const isGroup = command.run === undefined;
  if (wants === "run" && problem !== null) throw problem;
  if (wants === "run" && isGroup && globals.json) {
    const name = path.join(" ");
    throw new UsageError(`\`${name}\` needs a command.`, { hint: HINTS.help(name) });
  }
  if (wants === "run" && !isGroup) return runAction(line, invocation);
  const [{ renderHelp }, { styleOf }] = await Promise.all([
    import("./cli/render/help.ts"),
    import("./cli/render/style.ts"),
  ]);
  io.stdout.write(await renderHelp(path, command, GLOBAL_ARGS, await styleOf(io, io.stdout)));
  return 0;
}

async function report(error: unknown, { io, globals }: Invocation): Promise<void> {
  const [{ renderError, renderErrorJson }, { styleOf }] = await Promise.all([
    import("./cli/render/error.ts"),
    import("./cli/render/style.ts"),
  ]);
  const known = error instanceof TrackerError ? error : unexpected(error);
  const stack = globals.verbose ? stackOf(known) : "";
  const text = globals.json
    ? renderErrorJson(known)
    : renderError(known, await styleOf(io, io.stderr)) + stack;
  try {
    io.stderr.write(text);
  } catch (failure) {
    // No stream is left to print to; the exit code still reports the failure.
    if (!(failure instanceof OutputClosedError || failure instanceof TrackerError)) throw failure;
  }
}

function stackOf(error: Error): string {
  const own = (error.stack ?? "").split("\n").map((line) => `${escapeText(line)}\n`);
  return own.join("") + (error.cause instanceof Error ? stackOf(error.cause) : "");
}

/** A failure that no code expects: a defect of this program. */
function unexpected(cause: unknown): TrackerError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new TrackerError("unexpected", `An unexpected error occurred: ${message}`, {
    hint: HINTS.unexpected,
    cause,
  });
}
