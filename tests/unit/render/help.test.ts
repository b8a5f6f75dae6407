import { expect, test } from "bun:test";
import { type ArgsDef, defineCommand } from "citty";
import { describeCommand, renderHelp } from "../../../src/cli/render/help.ts";
import { style, terminal } from "./style.ts";

const GLOBALS = {
  json: { type: "boolean", description: "Print the result as JSON" },
  color: { type: "boolean", default: true, negativeDescription: "Never color" },
} as const;

const args: ArgsDef = {
  name: { type: "positional", required: false, description: "Who" },
  port: { type: "string", valueHint: "N", default: "7411", description: "Port" },
  bare: { type: "string", description: "Anything" },
  demo: { type: "boolean", description: "Throw-away data" },
};
const leaf = defineCommand({ meta: { name: "serve", description: "Serve until stopped" }, args });

const tree = defineCommand({
  meta: { name: "host", description: "Run a control plane" },
  subCommands: { serve: () => leaf, nothing: async () => defineCommand({}) },
});

test("a command with flags", async () => {
  const help = await renderHelp(["tracker", "host", "serve"], leaf, GLOBALS, style());
  expect(`\n${help}`).toMatchInlineSnapshot(`
    "
    Serve until stopped.

    Usage
      tracker host serve [name] [flags]

    Arguments
      [name]  Who

    Flags
      --port N      Port (default 7411)
      --bare VALUE  Anything
      --demo        Throw-away data

    Flags of every command
      --json      Print the result as JSON
      --no-color  Never color
      --version   Print the version
      --help      Print this help
    "
  `);
});

test("descriptions are broken between words in a narrow terminal, and keep to their column", async () => {
  const port: ArgsDef = {
    port: { type: "string", valueHint: "N", description: "Port to listen on; 0 takes a free one" },
  };
  const wordy = defineCommand({ meta: { name: "serve", description: "Serve" }, args: port });
  const help = await renderHelp(["tracker", "serve"], wordy, GLOBALS, terminal(34));
  expect(help).toContain("\n  --port N  Port to listen on; 0\n            takes a free one\n");
  for (const line of help.split("\n")) expect(line.length).toBeLessThanOrEqual(34);
});

test("a command with commands", async () => {
  expect(`\n${await renderHelp(["tracker", "host"], tree, GLOBALS, style())}`).toMatchInlineSnapshot(`
    "
    Run a control plane.

    Usage
      tracker host <command>

    Commands
      serve    Serve until stopped
      nothing  

    Flags of every command
      --json      Print the result as JSON
      --no-color  Never color
      --version   Print the version
      --help      Print this help
    "
  `);
});

test("the same as data", async () => {
  expect(await describeCommand(["tracker", "host"], tree)).toEqual({
    usage: "tracker host <command>",
    description: "Run a control plane",
    commands: [
      ["serve", "Serve until stopped"],
      ["nothing", ""],
    ],
    words: [],
    flags: [],
  });
});
