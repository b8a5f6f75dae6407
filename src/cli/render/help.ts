import type { CommandDef } from "citty";
import { resolve } from "../../shared/lazy.ts";
import { padEnd } from "../../shared/text.ts";
import { type ArgumentDefs, visibleNames } from "../argv.ts";
import type { Style } from "./style.ts";

interface CommandHelp {
  readonly usage: string;
  readonly description: string;
  readonly commands: readonly (readonly [name: string, description: string])[];
  readonly words: readonly (readonly [word: string, description: string])[];
  readonly flags: readonly (readonly [flag: string, description: string])[];
}

export async function describeCommand(path: readonly string[], command: CommandDef): Promise<CommandHelp> {
  const meta = await resolve(command.meta ?? {});
  const args = (await resolve(command.args)) ?? {};
  const subCommands = (await resolve(command.subCommands)) ?? {};
  const commands = await Promise.all(
    (await visibleNames(subCommands)).map(async (name): Promise<readonly [string, string]> => {
      const { description } = await resolve((await resolve(subCommands[name] ?? {})).meta ?? {});
      return [name, description ?? ""];
    }),
  );
  const words = Object.entries(args).flatMap(([name, { type, description, required }]) =>
    type === "positional"
      ? [[required === true ? `<${name}>` : `[${name}]`, description ?? ""] as const]
      : [],
  );
  const flags = flagsOf(args);
  const usage = [
    ...path,
    ...words.map(([word]) => word),
    ...(commands.length > 0 ? ["<command>"] : []),
    ...(flags.length > 0 ? ["[flags]"] : []),
  ];
  return { usage: usage.join(" "), description: meta.description ?? "", commands, words, flags };
}

export function flagsOf(args: ArgumentDefs): (readonly [flag: string, description: string])[] {
  return Object.entries(args).flatMap(([name, definition]) => {
    if (definition.type === "positional" || definition.refused !== undefined) return [];
    if (definition.type === "boolean" && definition.default === true) {
      return [[`--no-${name}`, definition.negativeDescription ?? ""] as const];
    }
    const value = definition.type === "string" ? ` ${definition.valueHint ?? "VALUE"}` : "";
    const fallback = definition.default === undefined ? "" : ` (default ${definition.default})`;
    return [[`--${name}${value}`, `${definition.description ?? ""}${fallback}`] as const];
  });
}

/** Descriptions get at least this many columns. */
const NARROWEST = 16;

/** Breaks text between words into lines of at most `room` columns. */
function wrap(text: string, room: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= room) lines.splice(-1, 1, `${line} ${word}`);
    else lines.push(word);
  }
  return lines;
}

export async function renderHelp(
  path: readonly string[],
  command: CommandDef,
  globalArgs: ArgumentDefs,
  { colors, isTerminal, width: columns }: Style,
): Promise<string> {
  const { usage, description, commands, words, flags } = await describeCommand(path, command);
  const list = (title: string, rows: readonly (readonly [string, string])[]): string => {
    if (rows.length === 0) return "";
    const width = Math.max(...rows.map(([name]) => name.length));
    const indent = width + 4;
    const room = isTerminal ? Math.max(columns - indent, NARROWEST) : Number.POSITIVE_INFINITY;
    const drawn = rows.map(([name, text]) => {
      const lines = wrap(text, room).join(`\n${" ".repeat(indent)}`);
      return `  ${padEnd(name, width)}  ${lines}\n`;
    });
    return `\n${colors.bold(title)}\n${drawn.join("")}`;
  };
  const everywhere = [
    ...flagsOf(globalArgs),
    ["--version", "Print the version"],
    ["--help", "Print this help"],
  ] as const;
  return [
    `${description}.\n\n${colors.bold("Usage")}\n  ${usage}\n`,
    list("Commands", commands),
    list("Arguments", words),
    list("Flags", flags),
    list("Flags of every command", everywhere),
  ].join("");
}
