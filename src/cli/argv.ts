/** Reads every token of the command line once: commands, flags, values, positional and global arguments. */
import {
  type ArgDef,
  type ArgsDef,
  type CommandDef,
  defineCommand,
  runCommand,
  type SubCommandsDef,
} from "citty";
import { UsageError } from "../shared/errors.ts";
import { resolve } from "../shared/lazy.ts";
import { nearest } from "../shared/text.ts";
import { HINTS } from "./hints.ts";
import type { Invocation } from "./invocation.ts";

/** A message and a hint for a flag or command that is refused by name. */
export interface Refusal {
  readonly message: string;
  readonly hint: string;
}

/** One argument of a command: citty's definition and what this grammar adds. */
type ArgumentDef = ArgDef & {
  readonly repeatable?: true;
  /** The flag is refused by name, and hidden from help. */
  readonly refused?: Refusal;
  /** The next word may be a secret, so no message repeats it. */
  readonly secretMayFollow?: true;
};
export type ArgumentDefs = Readonly<Record<string, ArgumentDef>>;

export type Arguments<A extends ArgumentDefs> = {
  readonly [K in keyof A as A[K] extends { refused: Refusal } ? never : K]: A[K] extends { repeatable: true }
    ? readonly string[]
    : A[K] extends { type: "boolean" }
      ? boolean
      : A[K] extends { required: true } | { default: string }
        ? string
        : string | undefined;
};

export interface GivenFlag {
  readonly flag: string;
  readonly value: string;
}

/** Flags that every command takes, anywhere on the command line. */
export const GLOBAL_ARGS = {
  host: { type: "string", valueHint: "URL|embedded", description: "Control plane to use" },
  project: { type: "string", valueHint: "DIR", description: "Folder where the search for a project starts" },
  json: { type: "boolean", description: "Print the result as JSON" },
  input: { type: "boolean", default: true, negativeDescription: "Never prompt" },
  color: { type: "boolean", default: true, negativeDescription: "Never use color" },
  verbose: { type: "boolean", description: "Print every step to stderr" },
} as const satisfies ArgumentDefs;

export type Globals = Arguments<typeof GLOBAL_ARGS>;

type Values = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

interface ActionInput {
  readonly invocation: Invocation;
  readonly values: Values;
  readonly given: readonly GivenFlag[];
}

interface Action<A extends ArgumentDefs> {
  readonly description: string;
  readonly args?: A;
  /**
   * Returns the exit code; nothing means 0.
   *
   * @param given the flags that have a value, in the order of the command line
   */
  readonly run: (
    invocation: Invocation,
    args: Arguments<A>,
    given: readonly GivenFlag[],
  ) => Promise<number | undefined> | Promise<void>;
}

export function defineAction<const A extends ArgumentDefs = Record<string, never>>({
  description,
  args,
  run,
}: Action<A>): CommandDef {
  return defineCommand<ArgsDef>({
    meta: { description },
    args: args ?? {},
    // citty types `data` as any; `runAction` is its only source.
    run: ({ data }) => run(data.invocation, data.values, data.given),
  });
}

/** Defines a command that is refused by name, and hidden from help. */
export function defineRefused({ message, hint }: Refusal): CommandDef {
  return defineCommand({
    meta: { description: message.replace(/\.$/, ""), hidden: true },
    run: () => {
      throw new UsageError(message, { hint });
    },
  });
}

export async function runAction(line: CommandLine, invocation: Invocation): Promise<number> {
  const { command, values, given } = line;
  const data: ActionInput = { invocation, values, given };
  // citty's own parser gets no tokens.
  const { result } = await runCommand({ ...command, args: {} }, { rawArgs: [], data });
  return typeof result === "number" ? result : 0;
}

export interface CommandLine {
  /** The words of the command, from `tracker` on. */
  readonly path: readonly string[];
  readonly command: CommandDef;
  readonly wants: "run" | "help" | "version";
  readonly globals: Globals;
  readonly values: Values;
  readonly given: readonly GivenFlag[];
  /** The first mistake. The rest is still read: `--json` decides how to report it. */
  readonly problem: UsageError | null;
}

export async function readCommandLine(root: CommandDef, argv: readonly string[]): Promise<CommandLine> {
  const reader = new Reader();
  await reader.enter("tracker", root);
  const tokens = argv[0] === "help" ? [...argv.slice(1), "--help"] : argv;
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index] ?? "";
    if (token === "--" && !reader.isPastFlags) reader.isPastFlags = true;
    else if (reader.isPastFlags || !/^-./.test(token)) await reader.readWord(token);
    else if (reader.readFlag(token, tokens[index + 1]) === "with next") index++;
  }
  return reader.finish();
}

/** A flag as a token spells it. */
interface Flag {
  readonly name: string;
  readonly isNegated: boolean;
  readonly definition: ArgumentDef;
  readonly value: string | undefined;
}

class Reader {
  isPastFlags = false;
  #wants: CommandLine["wants"] = "run";
  readonly #path: string[] = [];
  #command: CommandDef = {};
  #args: ArgumentDefs = {};
  #subCommands: SubCommandsDef | undefined;
  #isRefused = false;
  readonly #words: string[] = [];
  readonly #values: Record<string, string | boolean | readonly string[]> = {};
  readonly #given: GivenFlag[] = [];
  #problem: UsageError | null = null;

  /** Goes one level down the tree. */
  async enter(name: string, command: CommandDef): Promise<void> {
    this.#path.push(name);
    this.#command = command;
    this.#args = (await resolve(command.args)) ?? {};
    this.#subCommands = await resolve(command.subCommands);
    this.#isRefused = (await resolve(command.meta))?.hidden === true;
  }

  async readWord(word: string): Promise<void> {
    if (this.#subCommands === undefined) this.#words.push(word);
    else if (Object.hasOwn(this.#subCommands, word)) {
      await this.enter(word, await resolve(this.#subCommands[word] ?? {}));
    } else this.#problem ??= await this.#unknownCommand(word, this.#subCommands);
  }

  /** @returns the tokens that were read */
  readFlag(token: string, next: string | undefined): "alone" | "with next" {
    if (token === "--version") this.#wants = "version";
    else if (token === "--help" || token === "-h") this.#wants = this.#wants === "run" ? "help" : this.#wants;
    else {
      const flag = parseFlag(token, { ...this.#args, ...GLOBAL_ARGS });
      if (flag === null) this.#problem ??= this.#unknownFlag(token);
      else return this.#take(flag, next);
    }
    return "alone";
  }

  #take({ name, isNegated, definition, value }: Flag, next: string | undefined): "alone" | "with next" {
    const isRepeated = Object.hasOwn(this.#values, name) && !Object.hasOwn(GLOBAL_ARGS, name);
    if (definition.refused !== undefined) {
      this.#problem ??= new UsageError(definition.refused.message, { hint: definition.refused.hint });
    } else if (isRepeated && definition.repeatable !== true) {
      this.#problem ??= new UsageError(`--${name} is given twice.`);
    }
    if (definition.type !== "string") {
      if (value === undefined) this.#values[name] = !isNegated;
      else this.#problem ??= new UsageError(`--${name} takes no value.`);
      return "alone";
    }
    const isApart = value === undefined && next !== undefined && !next.startsWith("--");
    const text = (isApart ? next : value) ?? "";
    if (text === "") {
      const hint = HINTS.flagExample(name, definition.valueHint ?? "VALUE");
      this.#problem ??= new UsageError(`--${name} needs a value.`, { hint });
    }
    const before = this.#values[name];
    this.#given.push({ flag: name, value: text });
    this.#values[name] =
      definition.repeatable === true ? [...(Array.isArray(before) ? before : []), text] : text;
    return isApart ? "with next" : "alone";
  }

  finish(): CommandLine {
    const { json, input, color, verbose, host, project } = this.#values;
    const positionals = Object.entries(this.#args).filter(([, { type }]) => type === "positional");
    for (const [index, [name]] of positionals.entries()) {
      const word = this.#words[index];
      if (word !== undefined) this.#values[name] = word;
    }
    const extra = this.#words[positionals.length];
    if (extra !== undefined) this.#problem ??= this.#unexpectedWord(extra);
    this.#problem ??= this.#missing();
    return {
      path: this.#path,
      command: this.#command,
      wants: this.#wants,
      globals: {
        host: typeof host === "string" ? host : undefined,
        project: typeof project === "string" ? project : undefined,
        json: json === true,
        input: input !== false,
        color: color !== false,
        verbose: verbose === true,
      },
      values: { ...defaultsOf(this.#args), ...this.#values },
      given: this.#given,
      // A refused command stays refused with any arguments.
      problem: this.#isRefused ? null : this.#problem,
    };
  }

  get #name(): string {
    return this.#path.join(" ");
  }

  #missing(): UsageError | null {
    for (const [name, { type, required }] of Object.entries(this.#args)) {
      if (required !== true || Object.hasOwn(this.#values, name)) continue;
      const what = type === "positional" ? `The argument <${name}>` : `--${name}`;
      return new UsageError(`${what} is missing.`, { hint: HINTS.example(this.#path.slice(1).join(" ")) });
    }
    return null;
  }

  async #unknownCommand(word: string, subCommands: SubCommandsDef): Promise<UsageError> {
    const near = nearest(word, await visibleNames(subCommands));
    return new UsageError(`Unknown command "${word}" of \`${this.#name}\`.`, {
      hint: near === null ? HINTS.help(this.#name) : HINTS.nearestCommand(`${this.#name} ${near}`),
    });
  }

  #unknownFlag(token: string): UsageError {
    if (this.#subCommands !== undefined) {
      return new UsageError(`Unknown flag "${token}" of \`${this.#name}\`.`, {
        hint: HINTS.help(this.#name),
      });
    }
    const [, dashes, name = ""] = /^(--?)([^=]*)/.exec(token) ?? [];
    const known: ArgumentDefs = { ...this.#args, ...GLOBAL_ARGS };
    // One dash too few must not let a refused flag through unexplained.
    const refusal = Object.hasOwn(known, name) ? known[name]?.refused : undefined;
    if (refusal !== undefined) return new UsageError(refusal.message, { hint: refusal.hint });
    const flags = Object.entries(known).flatMap(([flag, { type, refused }]) =>
      type === "positional" || refused !== undefined ? [] : [flag],
    );
    const near = nearest(name, [...flags, "no-input", "no-color"]);
    return new UsageError(`Unknown flag ${dashes}${name}.`, {
      hint: near === null ? HINTS.help(this.#name) : HINTS.nearestFlag(near),
    });
  }

  #unexpectedWord(word: string): UsageError {
    const secretMayFollow = Object.entries(this.#args).find(([, { secretMayFollow }]) => secretMayFollow);
    const shown = secretMayFollow === undefined ? `"${word}"` : `after the ${secretMayFollow[0]}`;
    return new UsageError(`Unexpected argument ${shown}.`, { hint: HINTS.help(this.#name) });
  }
}

/** Null when the token is none of the flags. */
function parseFlag(token: string, args: ArgumentDefs): Flag | null {
  const [, written = "", value] = /^--([^=]+)(?:=([\s\S]*))?$/.exec(token) ?? [];
  const positive = written.replace(/^no-/, "");
  const isNegated = positive !== written && args[positive]?.type === "boolean";
  const name = isNegated ? positive : written;
  const definition = Object.hasOwn(args, name) ? args[name] : undefined;
  if (definition === undefined || definition.type === "positional") return null;
  return { name, isNegated, definition, value };
}

function defaultsOf(args: ArgumentDefs): Values {
  return Object.fromEntries(
    Object.entries(args).map(([name, { type, repeatable, default: value }]) => [
      name,
      value ?? (repeatable === true ? [] : type === "boolean" ? false : undefined),
    ]),
  );
}

export async function visibleNames(subCommands: SubCommandsDef): Promise<string[]> {
  const names: string[] = [];
  for (const [name, command] of Object.entries(subCommands)) {
    const { hidden } = await resolve((await resolve(command)).meta ?? {});
    if (hidden !== true) names.push(name);
  }
  return names;
}

/** @throws UsageError for anything but a whole number of at least 1 */
export function positiveInteger(flag: string, text: string): number;
export function positiveInteger(flag: string, text: string | undefined): number | undefined;
export function positiveInteger(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= 1) return value;
  throw new UsageError(`--${flag} takes a whole number of at least 1, not "${text}".`);
}

/** @throws UsageError for anything but a whole number from 1 to `most` */
export function limitOf(text: string, most: number): number {
  const limit = positiveInteger("limit", text);
  if (limit <= most) return limit;
  throw new UsageError(`--limit takes a number up to ${most.toLocaleString("en-US")}, not "${text}".`);
}

/** @throws UsageError for anything but `key=value` */
export function pairsOf(flag: string, texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const [, key, value] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
      if (key !== undefined && value !== undefined) return [key, value] as const;
      throw new UsageError(`--${flag} takes key=value, not "${text}".`);
    }),
  );
}
