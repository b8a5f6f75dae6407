import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
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
import { ProjectError } from "../../src/shared/errors.ts";
import {
  assertTrusted,
  findGit,
  findProgram,
  findRepository,
  identifyingRemote,
  readIndexed,
  readRemotes,
} from "../../src/shared/git.ts";

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

/** The URL of the remote that identifies the project. */
const remoteUrl = async (at: string, given: Record<string, string>): Promise<string | null> =>
  identifyingRemote(await readRemotes(at, given))?.url ?? null;

/** The error that `work` rejects with. */
async function refusal(work: Promise<unknown>): Promise<ProjectError> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ProjectError)) throw new Error(`Expected a ProjectError, got ${String(error)}.`);
  return error;
}

describe("the repository", () => {
  test("is found from below, nearest first, whether .git is a folder or a worktree's file", () => {
    const inner = join(root, "vendor", "inner");
    mkdirSync(join(inner, "src"), { recursive: true });
    expect(findRepository(join(inner, "src"))).toEqual({ kind: "work-tree", root });
    write(join(inner, ".git"), "gitdir: ../elsewhere\n");
    expect(findRepository(join(inner, "src"))).toEqual({ kind: "work-tree", root: inner });
  });

  test("may be bare, or jj's alone", () => {
    const bare = join(folder, "bare.git");
    git("init", "--quiet", "--bare", "--template=", bare);
    expect(findRepository(join(bare, "refs"))).toEqual({ kind: "bare", root: bare });
    const jj = join(folder, "jj");
    mkdirSync(join(jj, ".jj", "repo"), { recursive: true });
    mkdirSync(join(jj, "src"));
    expect(findRepository(join(jj, "src"))).toEqual({ kind: "jj", root: jj });
    mkdirSync(join(jj, ".git"));
    expect(findRepository(join(jj, "src"))).toEqual({ kind: "work-tree", root: jj });
  });

  test("is null elsewhere", () => {
    expect(findRepository(folder)).toBeNull();
  });
});

describe("the identifying remote", () => {
  test("is origin", async () => {
    git("remote", "add", "upstream", "https://elsewhere.example/a/b");
    git("remote", "add", "origin", ORIGIN);
    expect(await remoteUrl(root, env())).toBe(ORIGIN);
  });

  test("is the only one, whatever its name", async () => {
    git("remote", "add", "company", ORIGIN);
    expect(await remoteUrl(root, env())).toBe(ORIGIN);
  });

  test("is upstream among several without origin, and else none", async () => {
    git("remote", "add", "mine", "https://elsewhere.example/a/b");
    git("remote", "add", "upstream", ORIGIN);
    expect(await remoteUrl(root, env())).toBe(ORIGIN);
    git("remote", "rename", "upstream", "theirs");
    expect(await remoteUrl(root, env())).toBeNull();
  });

  test("has the user's insteadOf rules applied", async () => {
    git("remote", "add", "origin", "gh:acme/payments-api");
    write(join(folder, ".gitconfig"), '[url "https://github.com/"]\n\tinsteadOf = gh:\n');
    expect(await remoteUrl(root, env())).toBe("https://github.com/acme/payments-api");
  });

  test("is read from a partial clone and beside remotes without a URL", async () => {
    git("remote", "add", "origin", "https://git.example/a/with space");
    git("config", "remote.origin.promisor", "true");
    git("config", "remote.origin.partialclonefilter", "blob:none");
    git("config", "remote.empty.fetch", "+refs/heads/*:refs/remotes/empty/*");
    expect(await remoteUrl(root, env())).toBe("https://git.example/a/with space");
  });

  test("is null without a remote", async () => {
    expect(await remoteUrl(root, env())).toBeNull();
  });

  test("is the work tree's own: a broken inner repository does not borrow from the outer one", async () => {
    git("remote", "add", "origin", ORIGIN);
    const inner = join(root, "inner");
    mkdirSync(join(inner, ".git"), { recursive: true });
    expect((await refusal(readRemotes(inner, env()))).code).toBe("git_failed");
  });

  test("ignores every variable that binds git to another repository", async () => {
    git("remote", "add", "origin", ORIGIN);
    const other = join(folder, "other");
    Bun.spawnSync(["git", "init", "--quiet", "--template=", other], { env: env() });
    Bun.spawnSync(["git", "-C", other, "remote", "add", "origin", "https://evil.example/a/b"], {
      env: env(),
    });
    const listed = Bun.spawnSync(["git", "rev-parse", "--local-env-vars"], { env: env() });
    const names = listed.stdout.toString().trim().split("\n");
    expect(names).toContain("GIT_DIR");
    for (const name of names) {
      const value = name === "GIT_CONFIG_COUNT" ? "1" : join(other, ".git");
      expect(await remoteUrl(root, env({ [name]: value }))).toBe(ORIGIN);
    }
    const all = Object.fromEntries(names.map((name) => [name, join(other, ".git")]));
    expect(await remoteUrl(root, env({ ...all, GIT_WORK_TREE: other }))).toBe(ORIGIN);
  });

  test("is read without running what the repository configures", async () => {
    git("remote", "add", "origin", ORIGIN);
    write(join(root, "trap.sh"), trap("configured"), 0o755);
    const script = join(root, "trap.sh");
    for (const key of ["core.fsmonitor", "core.sshCommand", "core.pager", "alias.remote", "core.editor"]) {
      git("config", key, key === "alias.remote" ? `!${script}` : script);
    }
    git("config", "core.hooksPath", root);
    expect(await remoteUrl(root, env())).toBe(ORIGIN);
    expect(ran("configured")).toBe(false);
  });
});

describe("a refusal of git", () => {
  test("is named when there is no git", async () => {
    const error = await refusal(readRemotes(root, env({ PATH: folder })));
    expect(error.code).toBe("git_missing");
    expect(error.message).toBe(`${root} is a git repository, and there is no git on the PATH.`);
  });

  test("is named when the configuration is broken", async () => {
    write(join(root, ".git", "config"), '[remote "origin"\n\turl = x');
    const error = await refusal(readRemotes(root, env()));
    expect(error.code).toBe("git_config_invalid");
    expect(error.message).toBe("git cannot read its configuration: bad config line 2 in file .git/config.");
  });

  test.skipIf(process.getuid?.() !== 0)("is named when the folder belongs to another user", async () => {
    git("remote", "add", "origin", ORIGIN);
    chownSync(root, 12_345, 12_345);
    chownSync(join(root, ".git"), 12_345, 12_345);
    const error = await refusal(readRemotes(root, env()));
    expect(error.code).toBe("git_unsafe_folder");
    expect(error.message).toBe(`${root} belongs to another user, and git does not trust it.`);
    expect((await refusal(assertTrusted(root, 0, env()))).code).toBe("git_unsafe_folder");

    write(join(folder, ".gitconfig"), `[safe]\n\tdirectory = ${root}\n`);
    expect(await remoteUrl(root, env())).toBe(ORIGIN);
    await assertTrusted(root, 0, env());
  });

  test("is a time limit that holds although a child keeps the output open", async () => {
    const bin = join(folder, "bin");
    write(join(bin, "git"), "#!/bin/sh\nsleep 60 &\nexit 0\n", 0o755);
    const error = await refusal(readRemotes(root, env({ PATH: `${bin}:${PATH}` }), 200));
    expect(error.code).toBe("git_timeout");
    expect(error.retryable).toBe(true);
  });
});

describe("a sparse checkout", () => {
  test("still has the files that only the index names", async () => {
    write(join(root, ".kittify", "config.yaml"), "tracker: {provider: linear}\n");
    write(join(root, "src", "a"), "a");
    git("add", ".");
    const read = () => readIndexed(root, [".kittify/config.yaml"], env());
    expect(await read()).toBeNull();
    git("sparse-checkout", "set", "--cone", "src");
    expect((await read())?.text).toBe("tracker: {provider: linear}\n");
    expect(await readIndexed(root, [".kittify/other.yaml"], env())).toBeNull();
  });

  test("is recognized in a linked work tree", async () => {
    write(join(root, ".kittify", "config.yaml"), "tracker: {}\n");
    git("add", ".");
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message=x");
    const linked = join(folder, "linked");
    git("worktree", "add", "--quiet", "--no-checkout", linked);
    Bun.spawnSync(["git", "-C", linked, "sparse-checkout", "set", "--no-cone", "nothing"], { env: env() });
    Bun.spawnSync(["git", "-C", linked, "read-tree", "HEAD"], { env: env() });
    expect(await readIndexed(linked, [".kittify/config.yaml"], env())).toEqual({
      path: ".kittify/config.yaml",
      text: "tracker: {}\n",
    });
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
    expect(await remoteUrl(root, env({ PATH: `${bin}:${PATH}` }))).toBe(ORIGIN);
    expect(findGit(root, { PATH: bin })).toBeNull();
    expect(ran("own")).toBe(false);
  });

  test("is never the repository's own, also where the project is only a part of it", async () => {
    git("remote", "add", "origin", ORIGIN);
    const project = join(root, "packages", "api");
    mkdirSync(join(project, ".kittify"), { recursive: true });
    write(join(root, "bin", "git"), trap("outer"), 0o755);
    expect(findGit(project, { PATH: join(root, "bin") })).toBeNull();
  });

  test("is never the repository's own, also where the PATH or the project goes through a link", async () => {
    git("remote", "add", "origin", ORIGIN);
    const link = join(folder, "link");
    symlinkSync(root, link);
    write(join(root, "bin", "git"), trap("linked"), 0o755);
    expect(await remoteUrl(root, env({ PATH: `${join(link, "bin")}:${PATH}` }))).toBe(ORIGIN);
    expect(await remoteUrl(link, env({ PATH: `${join(root, "bin")}:${PATH}` }))).toBe(ORIGIN);
    expect(ran("linked")).toBe(false);
  });

  test("is never one of a relative PATH entry", () => {
    expect(findGit(root, { PATH: "bin:.::../bin" })).toBeNull();
  });

  test("goes for every program", () => {
    write(join(root, "bin", "bd"), "", 0o755);
    write(join(folder, "elsewhere", "bd"), "", 0o755);
    const path = `${join(root, "bin")}:${join(folder, "elsewhere")}`;
    expect(findProgram("bd", join(root, "bin"), { PATH: path })).toBe(join(folder, "elsewhere", "bd"));
    expect(findProgram("bd", root, { PATH: join(root, "bin") })).toBeNull();
  });
});
