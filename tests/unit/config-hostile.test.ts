import { describe, expect, test } from "bun:test";
import { hintOf } from "../../src/cli/hints.ts";
import { type ConfigEdit, parseProjectConfig, spliceConfig } from "../../src/config.ts";
import { ConfigError } from "../../src/shared/errors.ts";
import { cpuMs } from "../helpers/cpu-time.ts";

const LIMIT_MS = 250;
const SIZE = 256 * 1024 - 100;
const edit: ConfigEdit = {
  project: { uuid: "3f2a8c1e-5b7d-4e90-a1c2-9d8e7f6a5b4c", slug: "s" },
  tracker: { provider: "linear", binding_ref: "r", provider_context: { team: "Core" } },
};

const fill = (unit: string, size = SIZE): string => unit.repeat(Math.floor(size / unit.length));
const bomb = Array.from({ length: 30 }, (_, level) =>
  level === 0 ? "a0: &a0 [x]\n" : `a${level}: &a${level} [*a${level - 1}, *a${level - 1}, *a${level - 1}]\n`,
).join("");
let keys = 0;
const stairs = Array.from({ length: 600 }, (_, level) => `${" ".repeat(level)}a:\n`).join("");

/** Refused with this code. */
const refused: [name: string, text: string, code: string][] = [
  ["more than 256 KB", `a: ${"x".repeat(256 * 1024)}\n`, "config_too_large"],
  ["a huge value", `a: ${fill("x")}\n`, "config_too_large"],
  ["invalid escapes", `a: "${fill("\\q")}"\n`, "config_too_large"],
  ["many keys", fill("a: 1\n"), "config_too_large"],
  ["many aliases", `a: &a 1\nb: [${fill("*a,")}]\n`, "config_too_large"],
  ["many sequences", `a:\n${fill("- x\n")}`, "config_too_large"],
  ["many comments", fill("#c\n"), "config_too_large"],
  ["many blank lines", fill("\n"), "config_too_large"],
  ["many tags", `a: [${fill("!x 1,")}]\n`, "config_too_large"],
  ["many blank lines that belong to a text", `a: |+\n  x\n${fill("\n")}`, "config_too_large"],
  ["nested [", fill("["), "config_invalid"],
  ["nested {", fill("{a: "), "config_invalid"],
  ["nested -", fill("- "), "config_invalid"],
  ["nested ?", fill("? "), "config_invalid"],
  ["nested keys", stairs, "config_invalid"],
  ["nested in our section", `tracker:\n  x: ${fill("[")}`, "config_invalid"],
  ["closing brackets", fill("]"), "config_invalid"],
  ["an open quote", `a: "${fill("x\n ", 30_000)}`, "config_invalid"],
  ["tabs as indentation", "tracker:\n\tprovider: x\n", "config_invalid"],
  ["a list", "- a\n", "config_invalid"],
  ["a scalar", "hello\n", "config_invalid"],
  ["several documents", "a: 1\n---\ntracker: {}\n", "config_unsupported"],
  ["empty documents", fill("---\n"), "config_unsupported"],
  ["tracker twice", "tracker:\n  provider: x\nb: 1\ntracker: {}\n", "config_invalid"],
  ["project twice", "project: {}\nproject: {}\n", "config_invalid"],
  ["provider twice", "tracker:\n  provider: x\n  'provider': y\n", "config_invalid"],
  ["a context key twice", "tracker:\n  provider_context: {a: 1, a: 2}\n", "config_invalid"],
  ["tracker is a list", "tracker: [a]\n", "config_invalid"],
  ["tracker is a text", "tracker: linear\n", "config_invalid"],
  ["tracker is an alias", "a: &a {}\ntracker: *a\n", "config_unsupported"],
  ["tracker is an alias bomb", `${bomb}tracker: *a29\n`, "config_unsupported"],
  ["tracker merges", "a: &a {}\ntracker:\n  <<: *a\n", "config_unsupported"],
  ["a context merges", "a: &a {}\ntracker: {provider_context: {<<: *a}}\n", "config_unsupported"],
  ["provider is a list", "tracker:\n  provider: [linear]\n", "config_invalid"],
  ["provider is an alias", "a: &a linear\ntracker:\n  provider: *a\n", "config_unsupported"],
  ["provider has a tag", "tracker:\n  provider: !!binary aGk=\n", "config_unsupported"],
  ["the context is a text", "tracker:\n  provider_context: x\n", "config_invalid"],
  ["the context is nested", "tracker:\n  provider_context: {a: {b: c}}\n", "config_invalid"],
  ["the context has __proto__", "tracker:\n  provider_context: {__proto__: x}\n", "config_invalid"],
  ["field owners have __proto__", "tracker: {ownership: {field_owners: {__proto__: x}}}\n", "config_invalid"],
  ["ownership is a text", "tracker:\n  ownership: mine\n", "config_invalid"],
  ["slug is a mapping", "project:\n  slug: {a: b}\n", "config_invalid"],
  ["a key is a list", "tracker:\n  ? [a]\n  : b\n", "config_unsupported"],
];

/** Edited like any other. */
const accepted: [name: string, text: string][] = [
  ["an alias bomb elsewhere", bomb],
  ["nesting within reason", `a: ${"[".repeat(50)}${"]".repeat(50)}\n`],
  [
    "a __proto__ key",
    "__proto__: {polluted: yes}\ntracker:\n  __proto__: {polluted: yes}\n  constructor: x\n",
  ],
  ["duplicate keys elsewhere", "a: 1\na: 2\nb: {c: 1, c: 2}\n"],
  ["as many keys as allowed", fill("a: 1\n", 6_000)],
  [
    "as many unknown keys as allowed",
    `tracker:\n${fill("  a: 1\n", 7_000).replace(/a/g, () => `k${keys++}`)}`,
  ],
  ["long escapes", `a: "${fill("\\x41", 30_000)}"\n`],
];

function outcomeOf(text: string): string {
  try {
    parseProjectConfig(text);
    return spliceConfig(text, edit);
  } catch (error) {
    if (error instanceof ConfigError && hintOf(error) !== null && error.message.length < 400)
      return error.code;
    throw error;
  }
}

describe("hostile YAML", () => {
  test.each(refused)("%s is refused in time", async (_name, text, code) => {
    expect(await cpuMs(() => expect(outcomeOf(text)).toBe(code))).toBeLessThan(LIMIT_MS);
  });

  test.each(accepted)("%s is edited in time", async (_name, text) => {
    let edited = "";
    const spent = await cpuMs(() => {
      edited = outcomeOf(text);
    });
    expect(parseProjectConfig(edited).tracker).toMatchObject({ provider: "linear", bindingRef: "r" });
    expect(spent).toBeLessThan(LIMIT_MS);
    expect(Reflect.get({}, "polluted")).toBeUndefined();
  });
});
