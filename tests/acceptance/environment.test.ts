/** Odd environments: a named error or a normal run, never a stack trace, and never state inside the repository. */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { BINARY } from "../helpers/binary.ts";
import { Scratch } from "../helpers/scratch.ts";

const CONNECT = ["host", "connect", "github", "--demo"];

describe("a home that can hold nothing", () => {
  test.each([
    ["an empty", "", "HOME is empty"],
    ["a relative", "rel", 'HOME is "rel"'],
    ["the root folder as", "/", 'HOME is "/"'],
  ])("%s home is an error that names the way out", async (_name, HOME, reason) => {
    using place = new Scratch();
    const before = place.files();
    const outcome = await place.run(CONNECT, { env: { HOME } });
    expect(outcome).toMatchObject({ code: 1, stdout: "" });
    expect(outcome.stderr).toContain(`${reason}.`);
    expect(outcome.stderr).toContain("TRACKER_HOME");
    expect(outcome.stderr).not.toMatch(/^\s+at /m);
    expect(place.files()).toEqual(before);
    expect(existsSync("/.local/state/tracker")).toBe(false);
  });

  test("is no obstacle to a command that keeps nothing", async () => {
    using place = new Scratch();
    expect(await place.run(["providers"], { env: { HOME: "" } })).toMatchObject({ code: 0, stderr: "" });
    expect(await place.run(["--help"], { env: { HOME: "rel" } })).toMatchObject({ code: 0 });
  });

  test("is not needed where TRACKER_HOME names a folder", async () => {
    using place = new Scratch();
    const env = { HOME: "", TRACKER_HOME: join(place.root, "state") };
    expect(await place.run(CONNECT, { env })).toMatchObject({ code: 0 });
    expect(await place.run(CONNECT, { env: { TRACKER_HOME: "here" } })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('TRACKER_HOME must be an absolute path, not "here".'),
    });
    expect(existsSync(join(place.repository, "here"))).toBe(false);
  });
});

test("a user without a passwd entry has an identity all the same", async () => {
  using place = new Scratch();
  Bun.spawnSync(["chmod", "-R", "a+rwX", place.root]);
  const asStranger = Bun.spawnSync(["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "true"], {
    stderr: "ignore",
  });
  if (!asStranger.success) return expect(process.getuid?.()).not.toBe(0);
  Bun.spawnSync(["chown", "-R", "54321:54321", place.root]);
  const run = (...args: readonly string[]) =>
    Bun.spawnSync(["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", BINARY, ...args], {
      cwd: place.repository,
      env: { PATH: place.env.PATH, HOME: place.home },
    });
  expect(run(...CONNECT).exitCode).toBe(0);
  const bound = run("bind", "--provider", "github", "--json");
  expect({ code: bound.exitCode, stderr: bound.stderr.toString() }).toEqual({ code: 0, stderr: "" });
  expect(place.config()).toMatch(/node_id: "?[0-9a-f]{12}/);
});

test("standard input that is not UTF-8 is refused, as a file is", async () => {
  using place = new Scratch();
  const config = "tracker: {provider: linear, binding_ref: srm_1}\n";
  place.write(".kittify/config.yaml", config);
  for (const bytes of [new Uint8Array([0x5b, 0xff, 0x5d]), new Uint8Array([0x5b, 0xe2, 0x82])]) {
    const child = Bun.spawnSync([BINARY, "sync", "push", "--items-json", "-"], {
      cwd: place.repository,
      env: place.env,
      stdin: bytes,
    });
    expect(child.exitCode).toBe(2);
    expect(child.stderr.toString()).toContain("Standard input is not UTF-8 text.");
  }
});
