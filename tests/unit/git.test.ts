import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { findGit, findGitRoot, findUpwards, readOriginUrl } from "../../src/shared/git.ts";

const PATH = process.env.PATH ?? "";
const ORIGIN = "git@github.com:acme/payments-api.git";

let folder = "";
let root = "";
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "tracker-git-")));
  root = join(folder, "repository");
  mkdirSync(root);
  git("init", "--quiet", "--template=");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const env = (extra: Record<string, string> = {}): Record<string, string> => ({
  PATH,
  HOME: folder,
  GIT_CONFIG_NOSYSTEM: "1",
  ...extra,
});

function git(...args: readonly string[]): void {
  const result = Bun.spawnSync(["git", "-C", root, ...args], { env: env() });
  if (!result.success) throw new Error(result.stderr.toString());
}

function write(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
}

/** An executable that leaves a mark when it is run. */
const trap = (name: string): string =>
  `#!/bin/sh\ntouch '${join(folder, `${name}.ran`)}'\necho https://evil.example/a/b\n`;
const ran = (name: string): boolean => existsSync(join(folder, `${name}.ran`));

describe("roots", () => {
  test("are found from below, nearest first, whether .git is a folder or a worktree's file", () => {
    const inner = join(root, "vendor", "inner");
    mkdirSync(join(inner, "src"), { recursive: true });
    expect(findGitRoot(join(inner, "src"))).toBe(root);
    write(join(inner, ".git"), "gitdir: ../elsewhere\n");
    expect(findGitRoot(join(inner, "src"))).toBe(inner);
    expect(findUpwards(inner, "no-such-name-anywhere")).toBeNull();
  });
});

describe("origin", () => {
  test("is the remote's URL", async () => {
    git("remote", "add", "origin", ORIGIN);
    git("remote", "add", "upstream", "https://elsewhere.example/a/b");
    expect(await readOriginUrl(root, env())).toBe(ORIGIN);
    mkdirSync(join(root, "deep", "down"), { recursive: true });
    expect(await readOriginUrl(join(root, "deep", "down"), env())).toBe(ORIGIN);
  });

  test("has the user's insteadOf rules applied", async () => {
    git("remote", "add", "origin", "gh:acme/payments-api");
    write(join(folder, ".gitconfig"), '[url "https://github.com/"]\n\tinsteadOf = gh:\n');
    expect(await readOriginUrl(root, env())).toBe("https://github.com/acme/payments-api");
  });

  test("is null without such a remote, without a repository, without git", async () => {
    expect(await readOriginUrl(root, env())).toBeNull();
    git("remote", "add", "origin", ORIGIN);
    const outside = join(folder, "outside");
    mkdirSync(outside);
    expect(await readOriginUrl(outside, env())).toBeNull();
    expect(await readOriginUrl(root, env({ PATH: outside }))).toBeNull();
    expect(await readOriginUrl(root, { HOME: folder })).toBeNull();
  });

  test("is null in a repository whose config is broken", async () => {
    write(join(root, ".git", "config"), '[remote "origin"\n\turl = x');
    expect(await readOriginUrl(root, env())).toBeNull();
  });

  test("is read without running what the repository configures", async () => {
    git("remote", "add", "origin", ORIGIN);
    write(join(root, "trap.sh"), trap("configured"), 0o755);
    const script = join(root, "trap.sh");
    for (const key of ["core.fsmonitor", "core.sshCommand", "core.pager", "alias.remote", "core.editor"]) {
      git("config", key, key === "alias.remote" ? `!${script}` : script);
    }
    git("config", "core.hooksPath", root);
    expect(await readOriginUrl(root, env())).toBe(ORIGIN);
    expect(ran("configured")).toBe(false);
  });
});

describe("the git that is run", () => {
  test("is the first on the PATH", async () => {
    const [first, second] = [join(folder, "one"), join(folder, "two")];
    write(join(second, "git"), "", 0o755);
    expect(findGit(root, { PATH: `${first}:${second}:${PATH}` })).toBe(join(second, "git"));
  });

  test.each([
    ["in the root", (at: string) => at],
    ["in a folder", (at: string) => join(at, "node_modules", ".bin")],
    ["in a folder that looks like the one above", (at: string) => join(at, "..bin")],
    ["by way of a dot", (at: string) => `${at}/./tools/../bin`],
  ])("is never the repository's own: %s", async (_name, place) => {
    git("remote", "add", "origin", ORIGIN);
    const bin = place(root);
    mkdirSync(join(root, "tools"));
    write(join(bin, "git"), trap("own"), 0o755);
    expect(await readOriginUrl(root, env({ PATH: `${bin}:${PATH}` }))).toBe(ORIGIN);
    expect(findGit(root, { PATH: bin })).toBeNull();
    expect(ran("own")).toBe(false);
  });

  test("is never the repository's own, also where the project is only a part of it", async () => {
    git("remote", "add", "origin", ORIGIN);
    const project = join(root, "packages", "api");
    mkdirSync(join(project, ".kittify"), { recursive: true });
    write(join(root, "bin", "git"), trap("outer"), 0o755);
    expect(await readOriginUrl(project, env({ PATH: `${join(root, "bin")}:${PATH}` }))).toBe(ORIGIN);
    expect(ran("outer")).toBe(false);
  });

  test("is never the repository's own, also where the PATH or the project goes through a link", async () => {
    git("remote", "add", "origin", ORIGIN);
    const link = join(folder, "link");
    symlinkSync(root, link);
    write(join(root, "bin", "git"), trap("linked"), 0o755);
    expect(await readOriginUrl(root, env({ PATH: `${join(link, "bin")}:${PATH}` }))).toBe(ORIGIN);
    expect(await readOriginUrl(link, env({ PATH: `${join(root, "bin")}:${PATH}` }))).toBe(ORIGIN);
    expect(ran("linked")).toBe(false);
  });

  test("is never one of a relative PATH entry", () => {
    expect(findGit(root, { PATH: "bin:.::../bin" })).toBeNull();
  });
});
