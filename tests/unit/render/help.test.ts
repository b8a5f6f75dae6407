import { expect, test } from "bun:test";
import { type ArgsDef, defineCommand } from "citty";
import { describeCommand, renderHelp } from "../../../src/render/help.ts";
import { style } from "./style.ts";

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
      tracker host serve <name> [flags]

    Flags
      --port N      Port (default 7411)
      --bare VALUE  Anything
      --demo        Throw-away data

    Flags of every command
      --json      Print the result as JSON
      --no-color  Never color
      --version   Print the version
      --help      Print this
    "
  `);
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
      --help      Print this
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
    flags: [],
  });
});
