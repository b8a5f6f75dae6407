import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { assertWritable, findProject, type Project, requireProject } from "../../src/config/project.ts";
import { TrackerError } from "../../src/shared/errors.ts";

const CONFIG = "tracker: {provider: linear, binding_ref: srm_1}\n";

let folder = "";
let home = "";
let root = "";
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "tracker-project-")));
  home = join(folder, "home");
  root = join(home, "code", "payments-api");
  mkdirSync(root, { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const surroundings = () => ({
  env: { PATH: process.env.PATH, HOME: home, GIT_CONFIG_NOSYSTEM: "1" },
  machine: { homeDirectory: home, userId: process.getuid?.() },
});
const find = (start: string): Promise<Project | null> => findProject(start, surroundings());

function git(at: string, ...args: readonly string[]): void {
  const result = Bun.spawnSync(["git", "-C", at, ...args], { env: surroundings().env });
  if (!result.success) throw new Error(result.stderr.toString());
}

function write(path: string, text = CONFIG): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

async function refusal(work: Promise<unknown> | (() => void)): Promise<TrackerError> {
  try {
    await (typeof work === "function" ? work() : work);
  } catch (error) {
    if (error instanceof TrackerError) return error;
    throw error;
  }
  throw new Error("Nothing was refused.");
}

describe("the search for a project", () => {
  test("ends at the repository's root: a .kittify above it captures nothing", async () => {
    git(root, "init", "--quiet", "--template=");
    for (const above of [join(home, "code"), home, folder]) write(join(above, ".kittify", "config.yaml"));
    const inside = join(root, "src", "deep");
    mkdirSync(inside, { recursive: true });
    expect(await find(inside)).toMatchObject({ root, repository: root, source: "none" });
  });

  test("finds the nearest one within the repository", async () => {
    git(root, "init", "--quiet", "--template=");
    write(join(root, ".kittify", "config.yaml"));
    write(join(root, "services", "api", ".kittify", "config.yaml"));
    mkdirSync(join(root, "services", "web"), { recursive: true });
    expect(await find(join(root, "services", "api"))).toMatchObject({
      root: join(root, "services", "api"),
      repository: root,
      source: "file",
    });
    expect(await find(join(root, "services", "web"))).toMatchObject({ root, source: "file" });
  });

  test("looks only at the given folder outside of a repository", async () => {
    write(join(root, ".kittify", "config.yaml"));
    const below = join(root, "src");
    mkdirSync(below);
    expect(await find(root)).toMatchObject({ root, repository: null, source: "file" });
    expect(await find(below)).toBeNull();
  });

  test("never takes the home folder's own .kittify", async () => {
    write(join(home, ".kittify", "config.yaml"));
    expect(await find(home)).toBeNull();
    // Dotfiles kept in a repository of their own.
    git(home, "init", "--quiet", "--template=");
    expect(await find(home)).toMatchObject({ root: home, source: "none" });
  });

  test("stays in a submodule and in a linked work tree", async () => {
    write(join(root, ".kittify", "config.yaml"));
    git(root, "init", "--quiet", "--template=");
    const inner = join(root, "vendor", "inner");
    write(join(inner, ".git"), "gitdir: ../../.git/modules/inner\n");
    expect(await find(inner)).toMatchObject({ root: inner, repository: inner, source: "none" });
  });

  test("reads a config that a sparse checkout leaves out, and refuses to write it", async () => {
    git(root, "init", "--quiet", "--template=");
    write(join(root, ".kittify", "config.yaml"));
    write(join(root, "src", "a"), "a");
    git(root, "add", ".");
    git(root, "sparse-checkout", "set", "--cone", "src");
    expect(existsSync(join(root, ".kittify"))).toBe(false);
    const project = await requireProject(join(root, "src"), surroundings());
    expect(project).toMatchObject({ root, source: "index" });
    expect(project.config.tracker.bindingRef).toBe("srm_1");
    const error = await refusal(() => assertWritable(project));
    expect(error.code).toBe("config_not_checked_out");
    expect(existsSync(join(root, ".kittify"))).toBe(false);
  });
});

describe("a refusal", () => {
  test("names a folder that does not exist", async () => {
    const error = await refusal(find(join(root, "nowhere")));
    expect([error.code, error.message]).toEqual([
      "no_such_folder",
      `There is no folder ${join(root, "nowhere")}.`,
    ]);
  });

  test("names a bare repository", async () => {
    git(root, "init", "--quiet", "--bare", "--template=");
    expect(await find(root)).toBeNull();
    expect((await refusal(requireProject(root, surroundings()))).code).toBe("bare_repository");
  });

  test("names a jj repository without a git work tree", async () => {
    mkdirSync(join(root, ".jj"));
    expect((await refusal(requireProject(root, surroundings()))).code).toBe("jj_repository");
  });

  test("says when there is nothing at all", async () => {
    expect((await refusal(requireProject(root, surroundings()))).code).toBe("no_project");
  });

  test.skipIf(process.getuid?.() !== 0)("names a folder of another user, as git does", async () => {
    write(join(root, ".kittify", "config.yaml"));
    chownSync(join(root, ".kittify"), 12_345, 12_345);
    expect((await refusal(find(root))).code).toBe("folder_of_another_user");
    git(root, "init", "--quiet", "--template=");
    chownSync(root, 12_345, 12_345);
    chownSync(join(root, ".git"), 12_345, 12_345);
    expect((await refusal(find(root))).code).toBe("git_unsafe_folder");
    write(join(home, ".gitconfig"), `[safe]\n\tdirectory = ${root}\n`);
    expect(await find(root)).toMatchObject({ root, source: "file" });
  });
});

describe("writing", () => {
  const bound = async (): Promise<Project> => {
    git(root, "init", "--quiet", "--template=");
    return requireProject(root, surroundings());
  };

  test.each([
    ["the file", ".kittify/config.yaml", "stolen.yaml"],
    ["the folder", ".kittify", "stolen"],
  ])("is refused where %s is a link out of the repository", async (_name, link, name) => {
    const target = join(folder, name);
    if (link === ".kittify") write(join(target, "config.yaml"));
    else write(target);
    mkdirSync(dirname(join(root, link)), { recursive: true });
    symlinkSync(target, join(root, link));
    const project = await bound();
    const error = await refusal(() => assertWritable(project));
    expect(error.code).toBe("config_outside_project");
    expect(error.message).toContain(target);
  });

  test("goes through a link that stays inside", async () => {
    write(join(root, "shared", "config.yaml"));
    symlinkSync("shared", join(root, ".kittify"));
    assertWritable(await bound());
  });

  test.skipIf(process.getuid?.() === 0)("is refused where the folder is read-only", async () => {
    const project = await bound();
    chmodSync(root, 0o555);
    expect((await refusal(() => assertWritable(project))).code).toBe("config_not_writable");
    chmodSync(root, 0o755);
    expect(readFileSync(join(root, ".git", "HEAD"), "utf8")).toContain("ref:");
  });
});
