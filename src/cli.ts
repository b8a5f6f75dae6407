/**
 * The command tree and the one place where errors become exit codes. `run` is
 * the whole program less its real streams.
 */
import { type ArgsDef, type CommandDef, defineCommand, parseArgs, runCommand } from "citty";
import { createInvocation, GLOBAL_ARGS, type Globals, type Invocation } from "./cli/invocation.ts";
import type { Context } from "./shared/context.ts";
import {
  InterruptedError,
  NotAuthenticatedError,
  OutputClosedError,
  TrackerError,
  UsageError,
} from "./shared/errors.ts";
import { resolve } from "./shared/lazy.ts";
import { HOSTED_PROVIDERS, LOCAL_PROVIDERS } from "./shared/providers.ts";
import { escapeText, nearest } from "./shared/text.ts";
import { VERSION } from "./shared/version.ts";

/** The commands; each is loaded when it is run. */
export function commandTree(invocation: Invocation) {
  return defineCommand({
    meta: {
      name: "tracker",
      description: "Binds a repository to its issue tracker by discovering the binding",
    },
    subCommands: {
      providers: async () => (await import("./cli/commands/providers.ts")).providersCommand(invocation),
      discover: async () => (await import("./cli/commands/discover.ts")).discoverCommand(invocation),
      bind: async () => (await import("./cli/commands/bind.ts")).bindCommand(invocation),
      unbind: async () => (await import("./cli/commands/unbind.ts")).unbindCommand(invocation),
      status: async () => (await import("./cli/commands/status.ts")).statusCommand(invocation),
      map: async () => (await import("./cli/commands/map.ts")).mapCommand(invocation),
      sync: async () => (await import("./cli/commands/sync.ts")).syncCommand(invocation),
      issues: async () => (await import("./cli/commands/issues.ts")).issuesCommand(invocation),
      mission: async () => (await import("./cli/commands/mission.ts")).missionCommand(invocation),
      auth: async () => (await import("./cli/commands/auth.ts")).authCommand(invocation),
      host: async () => (await import("./cli/commands/host.ts")).hostCommand(invocation),
      doctor: async () => (await import("./cli/commands/doctor.ts")).doctorCommand(invocation),
    },
  });
}

/** What exit codes mean. Errors become one here, and nowhere else. */
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

/** Commands that are refused by name, whatever follows. */
const REFUSED_COMMANDS: Readonly<Record<string, { readonly message: string; readonly hint: string }>> = {
  "sync publish": {
    message: `\`sync publish\` is refused for every provider: ${[...LOCAL_PROVIDERS, ...HOSTED_PROVIDERS].join(", ")}.`,
    hint: "Write to issues with `tracker sync push --items-json FILE`; tell an issue how its mission goes with `tracker mission publish`.",
  },
};

/** Flags that may be given more than once. */
const REPEATABLE_FLAGS: ReadonlySet<string> = new Set([
  "bind --field-owner",
  "bind --credential",
  "host mappings update --field-owner",
  "host mappings update --setting",
  "mission publish --decision",
  "mission publish --blocking-decision",
]);

/** Flags that are refused by name, with the way that took their place. */
const REFUSED_FLAGS: Readonly<Record<string, { readonly message: string; readonly hint: string }>> = {
  "bind --project-slug": {
    message: "--project-slug is gone: bindings are discovered.",
    hint: "Run `tracker bind --provider <provider>`.",
  },
  "host connect --token": {
    message: "--token is refused: other people on this machine can read command lines.",
    hint: "Leave it out to be asked for the token, or use --token-stdin or --from-env NAME.",
  },
};

/**
 * Runs one command line.
 *
 * @param argv the arguments after the program's name
 * @returns the exit code
 */
export async function run(argv: readonly string[], context: Context): Promise<number> {
  try {
    return await dispatch(argv, context);
  } catch (error) {
    const isQuiet =
      error instanceof OutputClosedError || (error instanceof InterruptedError && error.hint === null);
    if (!isQuiet) await report(error, argv, context);
    return exitCodeOf(error);
  }
}

async function dispatch(argv: readonly string[], context: Context): Promise<number> {
  const { globals, rest, wantsHelp, wantsVersion } = splitGlobals(argv);
  const invocation = createInvocation(context, globals);
  if (wantsVersion) {
    invocation.io.stdout.write(`${VERSION}\n`);
    return 0;
  }
  const { path, command, args } = await locate(commandTree(invocation), rest);
  const subCommands = await resolve(command.subCommands);
  const isGroup = subCommands !== undefined && args.length === 0;
  if (isGroup && globals.json && !wantsHelp) {
    throw new UsageError(`\`${path.join(" ")}\` needs a command.`, {
      hint: `See \`${path.join(" ")} --help\`.`,
    });
  }
  if (wantsHelp || isGroup) {
    const { renderHelp } = await import("./cli/render/help.ts");
    const { styleOf } = await import("./cli/render/style.ts");
    const style = await styleOf(invocation.io, invocation.io.stdout);
    const help = await renderHelp(path, command, GLOBAL_ARGS, style);
    invocation.io.stdout.write(help);
    return 0;
  }
  if (subCommands !== undefined) throw unknownCommand(path, args[0] ?? "", Object.keys(subCommands));
  const refused = REFUSED_COMMANDS[path.slice(1).join(" ")];
  if (refused !== undefined) throw new UsageError(refused.message, { hint: refused.hint });
  checkArguments(path, args, (await resolve(command.args)) ?? {});
  const { result } = await runCommand(command, { rawArgs: args });
  return typeof result === "number" ? result : 0;
}

/** Takes the flags that every command has out of the command line, wherever they stand. */
function splitGlobals(argv: readonly string[]): {
  readonly globals: Globals;
  readonly rest: string[];
  readonly wantsHelp: boolean;
  readonly wantsVersion: boolean;
} {
  const own: string[] = [];
  const rest: string[] = [];
  let wantsHelp = false;
  let wantsVersion = false;
  for (let index = 0; index < argv.length; index++) {
    const token = argv[index] ?? "";
    if (token === "--") {
      rest.push(...argv.slice(index));
      break;
    }
    const flag = parseFlag(token, GLOBAL_ARGS);
    if (token === "--help" || token === "-h") wantsHelp = true;
    else if (token === "--version") wantsVersion = true;
    else if (flag?.definition === undefined) {
      rest.push(token);
      // The value of a flag that only the command knows is looked at there, not here.
    } else if (flag.takesValue && flag.value === undefined) {
      const value = argv[++index];
      requireValue(flag, value);
      own.push(token, value ?? "");
    } else {
      checkFlagValue(flag);
      own.push(token);
    }
  }
  if (rest[0] === "help") {
    rest.shift();
    wantsHelp = true;
  }
  const { host, project, json, input, color, verbose } = parseArgs<typeof GLOBAL_ARGS>(own, GLOBAL_ARGS);
  const globals: Globals = {
    host,
    project,
    json: json === true,
    input: input !== false,
    color: color !== false,
    verbose: verbose === true,
  };
  return { globals, rest, wantsHelp, wantsVersion };
}

interface Flag {
  readonly name: string;
  readonly definition: ArgsDef[string] | undefined;
  readonly takesValue: boolean;
  readonly value: string | undefined;
}

/** A token as a flag of `args`; null when it is no flag. */
function parseFlag(token: string, args: ArgsDef): Flag | null {
  if (!/^-./.test(token)) return null;
  const [, name = "", value] = /^--?([^=]+)(?:=([\s\S]*))?$/.exec(token) ?? [];
  const negated = token.startsWith("--no-") ? args[name.slice(3)] : undefined;
  const definition = negated?.type === "boolean" ? negated : token.startsWith("--") ? args[name] : undefined;
  return { name, definition, takesValue: definition?.type === "string", value };
}

/** @param value what stands behind the flag */
function requireValue(flag: Flag, value: string | undefined): void {
  if (value === undefined || value === "" || value.startsWith("--")) throw valueNeeded(flag);
}

function valueNeeded({ name, definition }: Flag): UsageError {
  const placeholder = (definition?.type === "string" ? definition.valueHint : undefined) ?? "VALUE";
  return new UsageError(`--${name} needs a value.`, { hint: `For example: --${name} ${placeholder}` });
}

function checkFlagValue(flag: Flag): void {
  const { name, takesValue, value } = flag;
  if (takesValue) {
    if (value === undefined || value === "") throw valueNeeded(flag);
  } else if (value !== undefined) {
    throw new UsageError(`--${name} takes no value.`);
  }
}

/** Walks down the tree by the words of the command line. */
async function locate(
  root: CommandDef,
  rest: readonly string[],
): Promise<{ readonly path: string[]; readonly command: CommandDef; readonly args: string[] }> {
  const path = ["tracker"];
  let command = root;
  let index = 0;
  for (; index < rest.length; index++) {
    const subCommands = await resolve(command.subCommands);
    const name = rest[index] ?? "";
    if (subCommands === undefined || !Object.hasOwn(subCommands, name)) break;
    command = await resolve(subCommands[name] ?? {});
    path.push(name);
  }
  return { path, command, args: rest.slice(index) };
}

function unknownCommand(path: readonly string[], word: string, known: readonly string[]): UsageError {
  const what = word.startsWith("-") ? "flag" : "command";
  const near = what === "command" ? nearest(word, known) : null;
  return new UsageError(`Unknown ${what} "${word}" of \`${path.join(" ")}\`.`, {
    hint: near === null ? `See \`${path.join(" ")} --help\`.` : `Did you mean \`${path.join(" ")} ${near}\`?`,
  });
}

/** Refuses what the command does not declare; the parser itself would take it silently. */
function checkArguments(path: readonly string[], tokens: readonly string[], args: ArgsDef): void {
  const positionals = Object.values(args).filter(({ type }) => type === "positional").length;
  const given = new Set<string>();
  let words = 0;
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index] ?? "";
    const flag = token === "--" ? null : parseFlag(token, args);
    if (flag === null) {
      if (token !== "--" && ++words > positionals) throw unexpectedWord(path, token);
      continue;
    }
    if (flag.definition === undefined || flag.definition.type === "positional") {
      const flags = Object.keys(args).filter((name) => args[name]?.type !== "positional");
      throw refusedFlag(path, token, flag.name, flags);
    }
    const isRepeatable = REPEATABLE_FLAGS.has(`${path.slice(1).join(" ")} --${flag.name}`);
    if (given.has(flag.name) && !isRepeatable) throw new UsageError(`--${flag.name} is given twice.`);
    given.add(flag.name);
    if (flag.takesValue && flag.value === undefined) requireValue(flag, tokens[++index]);
    else checkFlagValue(flag);
  }
}

function unexpectedWord(path: readonly string[], word: string): UsageError {
  const command = path.join(" ");
  // Where a secret is expected, a word too many may be one.
  const shown = command === "tracker host connect" ? "after the provider" : `"${word}"`;
  return new UsageError(`Unexpected argument ${shown}.`, { hint: `See \`${command} --help\`.` });
}

function refusedFlag(
  path: readonly string[],
  token: string,
  name: string,
  known: readonly string[],
): UsageError {
  const refused = REFUSED_FLAGS[`${path.slice(1).join(" ")} --${name}`];
  if (refused !== undefined) return new UsageError(refused.message, { hint: refused.hint });
  const dashes = token.startsWith("--") ? "--" : "-";
  const near = nearest(name, [...known, ...Object.keys(GLOBAL_ARGS), "no-input", "no-color"]);
  return new UsageError(`Unknown flag ${dashes}${name}.`, {
    hint: near === null ? `See \`${path.join(" ")} --help\`.` : `Did you mean --${near}?`,
  });
}

/** Tells an error on stderr: to a person, or to a program as one JSON object. */
async function report(error: unknown, argv: readonly string[], context: Context): Promise<void> {
  const [{ renderError, renderErrorJson }, { styleOf }] = await Promise.all([
    import("./cli/render/error.ts"),
    import("./cli/render/style.ts"),
  ]);
  const known = error instanceof TrackerError ? error : unexpected(error);
  const { io } = context;
  const stderr = argv.includes("--no-color") ? { ...io.stderr, color: false } : io.stderr;
  const stack = argv.includes("--verbose") ? stackOf(known) : "";
  const text = argv.includes("--json")
    ? renderErrorJson(known)
    : renderError(known, await styleOf(io, stderr)) + stack;
  try {
    io.stderr.write(text);
  } catch (failure) {
    // There is nobody left to tell; the exit code still says it.
    if (!(failure instanceof OutputClosedError || failure instanceof TrackerError)) throw failure;
  }
}

/** Where an error and its causes came from, safe to print. */
function stackOf(error: Error): string {
  const own = (error.stack ?? "").split("\n").map((line) => `${escapeText(line)}\n`);
  return own.join("") + (error.cause instanceof Error ? stackOf(error.cause) : "");
}

/** A failure that nobody foresaw: ours to mend, so it says how to tell us. */
function unexpected(cause: unknown): TrackerError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new TrackerError("unexpected", `Something unforeseen went wrong: ${message}`, {
    hint: "Run the command again with --verbose and report what it prints.",
    cause,
  });
}
