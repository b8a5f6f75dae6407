/** A clone of an untrusted repository: nothing in it is run, and nothing in it chooses the host. */
import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { errorOf } from "../helpers/binary.ts";
import { httpAnswer, RawServer } from "../helpers/raw-server.ts";
import { Scratch } from "../helpers/scratch.ts";
import { TOKEN } from "../helpers/scripted-control-plane.ts";

/** A shell command that leaves a file behind in `folder`. */
const canary = (folder: string, name: string): string => `/usr/bin/touch ${join(folder, name)}`;

const COMMANDS = [
  ["providers"],
  ["discover", "--provider", "github"],
  ["bind", "--provider", "github"],
  ["status"],
  ["status", "--all"],
  ["map", "list"],
  ["doctor"],
  ["bind", "--provider", "github", "--yes", "--dry-run"],
  ["unbind"],
];

/** Fills the repository with everything that some tool would run or obey. */
function arm(place: Scratch, canaries: string, hostileUrl: string): void {
  const executable = (path: string, name: string): void => {
    place.write(path, `#!/bin/sh\n${canary(canaries, name)}\nexit 0\n`);
    chmodSync(join(place.repository, path), 0o755);
  };
  const module = (name: string): string =>
    `require("node:fs").writeFileSync(${JSON.stringify(join(canaries, name))}, "");\n`;

  const variables = `TRACKER_HOST=${hostileUrl}\nSPEC_KITTY_SAAS_URL=${hostileUrl}\nTRACKER_TOKEN=trk_evil\nTRACKER_HOME=${canaries}\nNODE_OPTIONS=--require=./preload.js\n`;
  for (const name of [
    ".env",
    ".env.local",
    ".env.production",
    ".env.development",
    ".envrc",
    ".kittify/.env",
  ]) {
    place.write(name, variables);
  }
  place.write(
    "bunfig.toml",
    'preload = ["./preload.js"]\n[run]\nbun = true\n[define]\n"process.env.CI" = "\'1\'"\n',
  );
  place.write(".bunfig.toml", 'preload = ["./preload.js"]\n');
  place.write("preload.js", module("preload"));
  place.write(".npmrc", `registry=${hostileUrl}/\n//127.0.0.1/:_authToken=evil\n`);
  place.write(
    "package.json",
    JSON.stringify({ name: "tracker", type: "commonjs", imports: { "#x": "./preload.js" } }),
  );
  place.write(
    "tsconfig.json",
    JSON.stringify({ compilerOptions: { paths: { "*": ["./node_modules/evil/*"] } } }),
  );
  for (const name of [
    "yaml",
    "valibot",
    "citty",
    "hono",
    "kysely",
    "ofetch",
    "consola",
    "ulid",
    "picocolors",
  ]) {
    place.write(`node_modules/${name}/package.json`, JSON.stringify({ name, main: "index.js" }));
    place.write(`node_modules/${name}/index.js`, module(`module-${name}`));
  }
  for (const name of ["git", "git.exe", "git.cmd", "sh", "node_modules/.bin/git", "bin/git", ".git/git"]) {
    executable(name, `program-${name.replaceAll("/", "-")}`);
  }
  for (const name of [
    "post-checkout",
    "pre-commit",
    "post-index-change",
    "reference-transaction",
    "fsmonitor-watchman",
  ]) {
    executable(`.git/hooks/${name}`, `hook-${name}`);
    executable(`hooks/${name}`, `hook-path-${name}`);
  }
  place.write(".gitattributes", "* filter=evil diff=evil merge=evil\n");
  place.write(
    ".gitmodules",
    `[submodule "x"]\n\tpath = x\n\turl = ext::sh -c ${canary(canaries, "submodule")}\n`,
  );
  place.write("included.gitconfig", `[core]\n\tfsmonitor = ${canary(canaries, "include")}\n`);
  place.write(
    ".git/config",
    `${place.read(".git/config")}
[core]
	fsmonitor = ${canary(canaries, "fsmonitor")}
	hooksPath = ./hooks
	sshCommand = ${canary(canaries, "ssh")}
	gitProxy = ${canary(canaries, "proxy")}
	pager = ${canary(canaries, "pager")}
	editor = ${canary(canaries, "editor")}
	askPass = ${canary(canaries, "askpass")}
	alternateRefsCommand = ${canary(canaries, "alternate")}
[alias]
	remote = "!${canary(canaries, "alias")}"
	config = "!${canary(canaries, "alias-config")}"
[credential]
	helper = "!${canary(canaries, "credential")}"
[filter "evil"]
	clean = ${canary(canaries, "clean")}
	smudge = ${canary(canaries, "smudge")}
	process = ${canary(canaries, "process")}
[diff]
	external = ${canary(canaries, "diff")}
[gpg]
	program = ${canary(canaries, "gpg")}
[include]
	path = ../included.gitconfig
[pager]
	remote = ${canary(canaries, "pager-remote")}
[trace2]
	normalTarget = ${join(canaries, "trace2")}
[remote "origin"]
	uploadpack = ${canary(canaries, "uploadpack")}
	vcs = evil
`,
  );
  place.write("config.yaml", `host: ${hostileUrl}\n`);
  place.write(".config/tracker/config.yaml", `host: ${hostileUrl}\n`);
  place.write(".spec-kitty/config.toml", `[sync]\nserver_url = "${hostileUrl}"\n`);
  place.write("credentials.json", JSON.stringify({ [hostileUrl]: { accessToken: "evil" } }));
  place.write(
    ".kittify/config.yaml",
    `host: ${hostileUrl}\nserver_url: ${hostileUrl}\nproject:\n  host: ${hostileUrl}\ntracker:\n  host: ${hostileUrl}\n  base_url: ${hostileUrl}\n  url: ${hostileUrl}\n  command: ${canary(canaries, "command")}\n`,
  );
}

test("nothing in a hostile clone is run or obeyed", async () => {
  using hostile = new RawServer(() => ({ bytes: httpAnswer(200, "{}"), end: "close" }));
  using place = new Scratch();
  const canaries = join(place.root, "canaries");
  mkdirSync(canaries);
  // Connected before the repository turns hostile; the embedded host is the control plane.
  expect(await place.run(["host", "connect", "github", "--demo"], { cwd: place.home })).toMatchObject({
    code: 0,
  });
  arm(place, canaries, hostile.url);

  // A PATH that prefers the repository: relative, empty and absolute entries.
  const PATH = [".", "", "bin", place.repository, join(place.repository, "bin"), place.env.PATH].join(":");
  const outcomes: string[] = [];
  for (const command of COMMANDS) {
    const { code, stdout, stderr } = await place.run(command, { env: { PATH } });
    expect({ command, crashed: code > 1, silent: stdout + stderr === "" }).toEqual({
      command,
      crashed: false,
      silent: false,
    });
    outcomes.push(`${code} ${stdout}`);
  }
  expect(outcomes[2]).toContain("acme/payments-api");
  expect(outcomes[3]).toContain("acme/payments-api");
  expect([...place.files(canaries).keys()]).toEqual([]);
  expect(hostile.requests).toEqual([]);
  expect(place.config()).toContain(`host: ${hostile.url}`);

  // The traps are live: a tool that is less careful springs them.
  Bun.spawnSync(["git", "-C", place.repository, "status"], { env: { ...place.env } });
  expect([...place.files(canaries).keys()]).not.toEqual([]);
});

describe.each(["bd", "fp"] as const)("%s of the repository", (program) => {
  const provider = program === "bd" ? "beads" : "fp";
  const bind = ["bind", "--provider", provider, "--workspace", "w"];

  /** A program of the repository that leaves a file behind in `place.root`. */
  function trap(place: Scratch, path: string): void {
    place.write(path, `#!/bin/sh\n${canary(place.root, "sprung")}\n`);
    chmodSync(join(place.repository, path), 0o755);
  }

  test("is not found on a PATH that leads into it", async () => {
    using place = new Scratch();
    trap(place, program);
    trap(place, `bin/${program}`);
    trap(place, `packages/api/${program}`);
    symlinkSync(join(place.repository, "bin"), join(place.root, "link"));
    const cwd = join(place.repository, "packages", "api");
    // The user's own programs: git alone.
    const own = join(place.root, "own");
    mkdirSync(own);
    symlinkSync(Bun.which("git") ?? "", join(own, "git"));
    const folders = [".", "", "bin", "packages/api", place.repository, join(place.repository, "bin"), cwd];
    for (const entry of [...folders, join(place.root, "link")]) {
      for (const from of [place.repository, cwd]) {
        const outcome = await place.run([...bind, "--json"], { cwd: from, env: { PATH: `${entry}:${own}` } });
        expect(errorOf(outcome)).toMatchObject({ code: "program_unusable" });
        expect(errorOf(outcome).message).toContain(`the program ${program} was not found`);
      }
    }
    expect(existsSync(join(place.root, "sprung"))).toBe(false);
  });

  test("is refused by name where its path is given", async () => {
    using place = new Scratch();
    trap(place, `tools/${program}`);
    symlinkSync(place.repository, join(place.root, "link"));
    for (const command of [
      `tools/${program}`,
      `./tools/${program}`,
      join(place.repository, "tools", program),
      join(place.root, "link", "tools", program),
      `${place.root}/elsewhere/../payments-api/tools/${program}`,
    ]) {
      const outcome = await place.run([...bind, "--credential", `command=${command}`, "--json"]);
      expect(errorOf(outcome)).toMatchObject({ code: "program_in_repository" });
      expect(errorOf(outcome).message).toContain(`tools/${program}`);
      expect(errorOf(outcome).hint).toContain("--credential command=PATH");
    }
    expect(existsSync(join(place.root, "sprung"))).toBe(false);
    expect(place.config()).toBeNull();
  });
});

test("a token in the environment does not reach a host that the repository names", async () => {
  using hostile = new RawServer(() => ({ bytes: httpAnswer(200, "{}"), end: "close" }));
  using place = new Scratch({ env: { TRACKER_TOKEN: TOKEN } });
  const canaries = join(place.root, "canaries");
  mkdirSync(canaries);
  arm(place, canaries, hostile.url);
  for (const command of [["discover", "--provider", "linear"], ["auth", "status"], ["doctor"]]) {
    const { stdout, stderr } = await place.run(command);
    expect(stdout + stderr).not.toContain(TOKEN);
  }
  expect(hostile.requests).toEqual([]);
});

test("links out of the repository are not followed into other files", async () => {
  using place = new Scratch();
  expect(await place.run(["host", "connect", "github", "--demo"])).toMatchObject({ code: 0 });

  const outside = join(place.root, "outside");
  mkdirSync(outside);
  symlinkSync(join(place.root, "missing", "config.yaml"), join(place.repository, "dangling"));
  place.write(".kittify/config.yaml", "a: 1\n");
  renameSync(place.configPath, join(outside, "config.yaml"));
  symlinkSync("/dev/zero", place.configPath);
  const device = await place.run(["status"]);
  expect(device).toMatchObject({ code: 1, stdout: "" });
  const bound = await place.run(["bind", "--provider", "github"]);
  expect(bound).toMatchObject({ code: 1, stdout: "" });
});
