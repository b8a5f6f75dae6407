/** A repository that a colleague bound, on another machine: it works after connecting, or with one token in the environment. */
import { describe, expect, test } from "bun:test";
import { chmodSync } from "node:fs";
import { BINARY, errorOf, type Outcome, resultOf, runProgram } from "../helpers/binary.ts";
import { type Company, github, gitlab, jira, linear } from "../helpers/providers.ts";
import { LOOPBACK_ORIGIN, Scratch } from "../helpers/scratch.ts";

const COMPANIES = { github, gitlab, jira, linear };
type Provider = keyof typeof COMPANIES;
const PROVIDERS: readonly Provider[] = ["github", "gitlab", "jira", "linear"];

/** Requests to the provider in a new clone: to find the one resource, and to find it and list its issues. */
const REQUESTS: Readonly<Record<Provider, { readonly status: number; readonly list: number }>> = {
  github: { status: 1, list: 2 },
  gitlab: { status: 1, list: 2 },
  jira: { status: 2, list: 3 },
  linear: { status: 1, list: 2 },
};

/** The variables of a job in CI: the token, and the address of a simulator. */
function jobOf({ provider, token, simulator, address }: Company): Readonly<Record<string, string>> {
  const { origin } = simulator;
  switch (provider) {
    case "github":
      return { GH_TOKEN: token, TRACKER_GITHUB_URL: origin };
    case "gitlab":
      return { GITLAB_TOKEN: token, GITLAB_HOST: origin };
    case "jira":
      return { JIRA_API_TOKEN: token, JIRA_BASE_URL: origin, JIRA_EMAIL: address.at(-1) ?? "" };
    case "linear":
      return { LINEAR_API_KEY: token, TRACKER_LINEAR_URL: origin };
  }
}

function git(place: Scratch, ...args: readonly string[]): string {
  const identity = ["-c", "user.name=Ada", "-c", "user.email=ada@acme.example"];
  const { stdout, stderr, exitCode } = Bun.spawnSync(["git", ...identity, ...args], {
    cwd: place.repository,
    env: place.env,
  });
  expect({ exitCode, stderr: exitCode === 0 ? "" : stderr.toString() }).toEqual({ exitCode: 0, stderr: "" });
  return stdout.toString();
}

/** Another machine with a clone of what is committed. */
function clone(config: string, origin: string = LOOPBACK_ORIGIN): Scratch {
  const place = new Scratch({ origin, config });
  git(place, "add", "-A");
  git(place, "commit", "-q", "-m", "Bind the tracker");
  return place;
}

function connect(place: Scratch, { provider, token, address }: Company): Promise<Outcome> {
  return place.run(["host", "connect", provider, "--token-stdin", ...address], { stdin: `${token}\n` });
}

/** The config that the first person commits. */
async function committed(company: Company): Promise<string> {
  using place = new Scratch({ origin: LOOPBACK_ORIGIN });
  expect(await connect(place, company)).toMatchObject({ code: 0 });
  const choice = company.binds === "alone" ? [] : ["--select", "1"];
  expect(await place.run(["bind", "--provider", company.provider, ...choice])).toMatchObject({ code: 0 });
  return place.config() ?? "";
}

async function counted<T>({ simulator }: Company, run: () => Promise<T>): Promise<readonly [T, number]> {
  const before = simulator.requests.length;
  const outcome = await run();
  return [outcome, simulator.requests.length - before];
}

describe.each([...PROVIDERS])("a clone of a repository bound to %s", (provider) => {
  test("works after host connect alone, and stays clean", async () => {
    const company = await COMPANIES[provider]();
    company.add("Refund twice");
    using place = clone(await committed(company));
    for (const command of ["status", "doctor"]) {
      const { code, stdout, stderr } = await place.run([command]);
      expect(code).toBe(1);
      expect(stdout + stderr).toContain(`tracker host connect ${provider}`);
      expect(stdout + stderr).not.toMatch(/stale|--yes/);
    }

    expect(await connect(place, company)).toMatchObject({ code: 0 });
    const [status, statusRequests] = await counted(company, () => place.run(["status"]));
    expect(status).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(`Using ${company.label}, as .kittify/config.yaml says.`),
    });
    // `host connect` has read the inventory.
    expect(statusRequests).toBe(0);
    expect(await place.run(["issues", "list"])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("Refund twice"),
      stderr: "",
    });
    expect(await place.run(["sync", "pull"])).toMatchObject({ code: 0 });
    expect(git(place, "status", "--porcelain")).toBe("");
    await company.simulator.stop();
  });

  test("works with a token in the environment alone, and stores nothing of it", async () => {
    const company = await COMPANIES[provider]();
    company.add("Refund twice");
    const config = await committed(company);
    using place = clone(config);
    const env = jobOf(company);
    const [status, statusRequests] = await counted(company, () => place.run(["status"], { env }));
    expect(status).toMatchObject({ code: 0, stderr: expect.stringContaining(`Using ${company.label}`) });
    expect(statusRequests).toBe(REQUESTS[provider].status);
    expect(await place.run(["issues", "list"], { env })).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("Refund twice"),
      stderr: "",
    });
    expect(await place.run(["sync", "pull"], { env })).toMatchObject({ code: 0 });
    expect(await place.run(["doctor"], { env })).toMatchObject({ code: 0 });
    expect(git(place, "status", "--porcelain")).toBe("");
    for (const [path, text] of place.files(place.root)) {
      for (const secret of company.secrets)
        expect({ path, leaks: text.includes(secret) }).toEqual({ path, leaks: false });
    }
    // One command in an empty home is enough.
    using job = clone(config);
    const [list, listRequests] = await counted(company, () => job.run(["issues", "list", "--json"], { env }));
    expect(list).toMatchObject({ code: 0, stderr: "" });
    expect(listRequests).toBe(REQUESTS[provider].list);
    expect(git(job, "status", "--porcelain")).toBe("");
    const connections = await job.run(["host", "connections", "list", "--json"], { env });
    expect(resultOf(connections)).toEqual({ connections: [] });
    // A stored connection takes the place of the token in the environment.
    expect(await connect(place, company)).toMatchObject({ code: 0 });
    expect(await place.run(["sync", "pull"])).toMatchObject({ code: 0 });
    // Without the token, the way to connect is what helps.
    const without = errorOf(await job.run(["issues", "list", "--json"]));
    expect(without).toMatchObject({
      code: "no_installation",
      hint: `Connect it: tracker host connect ${provider}`,
    });
    await company.simulator.stop();
  });
});

/** Pushes a comment on the first issue. */
function push(place: Scratch, company: Company, flags: readonly string[] = [], env = jobOf(company)) {
  const key = company.provider === "github" || company.provider === "gitlab" ? "#1" : "PAY-1";
  const items = [{ ref: { key }, action: "comment", body: "Seen." }];
  return place.run(["sync", "push", "--items-json", "-", ...flags], { env, stdin: JSON.stringify(items) });
}

function writesOf({ simulator, isWrite }: Company): number {
  return simulator.requests.filter(isWrite).length;
}

describe("writes in a clone", () => {
  test.each(["github", "gitlab"] as const)("go unasked to the %s repository of the remote", async (name) => {
    const company = await COMPANIES[name]();
    company.add("Refund twice");
    using place = clone(await committed(company));
    expect(await push(place, company)).toMatchObject({ code: 0 });
    expect(writesOf(company)).toBe(1);
    await company.simulator.stop();
  });

  test.each(["jira", "linear"] as const)("need consent once for %s, which has no paths", async (name) => {
    const company = await COMPANIES[name]();
    company.add("Refund twice");
    using place = clone(await committed(company));
    const env = jobOf(company);
    for (const command of [
      ["sync", "run"],
      ["mission", "publish", "--issue", "PAY-1", "--mission-id", "M-1", "--state", "implementing"],
    ]) {
      expect(errorOf(await place.run([...command, "--json"], { env }))).toMatchObject({
        code: "untrusted_binding",
      });
    }
    const refused = await push(place, company);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain(`directs writes to ${company.label}`);
    expect(refused.stderr).toContain("--yes");
    expect(writesOf(company)).toBe(0);
    expect(await place.run(["sync", "run", "--dry-run"], { env })).toMatchObject({ code: 0 });
    expect(await place.run(["sync", "pull"], { env })).toMatchObject({ code: 0 });
    expect(await push(place, company, ["--yes"])).toMatchObject({ code: 0 });
    const written = writesOf(company);
    expect(written).toBeGreaterThan(0);
    expect(await push(place, company)).toMatchObject({ code: 0 });
    expect(writesOf(company)).toBeGreaterThan(written);
    expect(git(place, "status", "--porcelain")).toBe("");
    await company.simulator.stop();
  });

  test("ask a person in a terminal, who may refuse", async () => {
    const company = await linear();
    using place = clone(await committed(company));
    const run = async (answer: string) => {
      const terminal = place.open(["sync", "run"], { env: jobOf(company) });
      await terminal.waitFor("Write to it from this folder? [y/N]");
      terminal.typeLine(answer);
      return terminal.exit();
    };
    expect(await run("n")).toBe(1);
    expect(await run("y")).toBe(0);
    expect(await place.run(["sync", "run"], { env: jobOf(company) })).toMatchObject({ code: 0 });
    await company.simulator.stop();
  });

  test("are not directed by a hostile repository, also where the person has the binding", async () => {
    const company = await github();
    company.add("Refund twice");
    using victim = new Scratch({ origin: LOOPBACK_ORIGIN });
    await connect(victim, company);
    expect(await victim.run(["bind", "--provider", "github"])).toMatchObject({ code: 0 });
    const config = `${victim.config()}`.replace("project:", "project:\n  repo_slug: acme/payments-api");
    using lure = clone(config, "git@127.0.0.1:mallory/lure.git");
    const env = { HOME: victim.home };
    expect(await lure.run(["issues", "list"], { env })).toMatchObject({ code: 0 });
    const refused = await push(lure, company, ["--json"], { HOME: victim.home });
    expect(errorOf(refused)).toMatchObject({ code: "untrusted_binding" });
    // An old config without a reference leads to the mapping by its slug.
    lure.write(".kittify/config.yaml", "tracker:\n  provider: github\n  project_slug: payments-api\n");
    expect(await push(lure, company, [], env)).toMatchObject({ code: 1 });
    expect(writesOf(company)).toBe(0);
    // What was bound here is trusted here.
    expect(await push(victim, company, [], {})).toMatchObject({ code: 0 });
    expect(writesOf(company)).toBe(1);
    await company.simulator.stop();
  });
});

describe("a reference that cannot be adopted", () => {
  const ref = (config: string, reference: string): string =>
    config.replace(/binding_ref: \S+/, `binding_ref: ${reference}`);

  test("of another control plane is named as such", async () => {
    const company = await github();
    const config = ref(await committed(company), "srm_01HXYZ");
    using place = clone(config);
    const error = errorOf(await place.run(["status", "--json"], { env: jobOf(company) }));
    expect(error).toMatchObject({ code: "unknown_binding", details: { resource_visible: true } });
    expect(error.message).toContain("another control plane made it");
    expect(error.hint).toContain("TRACKER_HOST");
    expect(`${error.message} ${error.hint}`).not.toMatch(/stale|--yes/);
    expect(place.config()).toBe(config);
    await company.simulator.stop();
  });

  test("of a resource that the connection does not show names the connection too", async () => {
    const company = await linear();
    const config = (await committed(company)).replace(/display_key: \S+/, "display_key: GONE");
    using place = clone(ref(config, "srm_01HXYZ"));
    const error = errorOf(await place.run(["sync", "pull", "--json"], { env: jobOf(company) }));
    expect(error).toMatchObject({ code: "unknown_binding", details: { resource_visible: false } });
    expect(error.message).toContain("the connection to Linear does not show GONE");
    expect(error.hint).toContain("tracker host connections list");
    await company.simulator.stop();
  });

  test("was deleted here, and stays deleted", async () => {
    const company = await github();
    const config = await committed(company);
    using place = clone(config);
    const env = jobOf(company);
    expect(await place.run(["status"], { env })).toMatchObject({ code: 0 });
    const reference = /binding_ref: (\S+)/.exec(config)?.[1] ?? "";
    expect(await place.run(["host", "mappings", "delete", reference], { env })).toMatchObject({ code: 0 });
    expect(errorOf(await place.run(["status", "--json"], { env }))).toMatchObject({ code: "stale_binding" });
    await company.simulator.stop();
  });
});

test("a binding that a colleague replaced is followed", async () => {
  const company = await linear();
  using place = new Scratch({ origin: LOOPBACK_ORIGIN });
  await connect(place, company);
  expect(await place.run(["bind", "--provider", "linear", "--select", "1"])).toMatchObject({ code: 0 });
  const uuid = /uuid: \S+/.exec(place.config() ?? "")?.[0] ?? "";
  using colleague = new Scratch({ origin: LOOPBACK_ORIGIN });
  await connect(colleague, company);
  await colleague.run(["bind", "--provider", "linear", "--match", "Payments (PAYS)"]);
  const theirs = colleague.config() ?? "";
  expect(theirs).toContain(uuid);
  place.write(".kittify/config.yaml", theirs);
  expect(await place.run(["status"])).toMatchObject({
    code: 0,
    stderr: expect.stringContaining("Using Payments (PAYS), as .kittify/config.yaml says."),
  });
  expect(place.config()).toBe(theirs);
  await company.simulator.stop();
});

describe("state that cannot be written", () => {
  const NOWHERE = "/proc/tracker";

  test("is no obstacle to reading, and named by what must store something", async () => {
    const company = await github();
    company.add("Refund twice");
    using place = clone(await committed(company));
    const env = { ...jobOf(company), TRACKER_HOME: NOWHERE };
    for (const command of [
      ["status"],
      ["issues", "list"],
      ["sync", "pull"],
      ["map", "list"],
      ["discover", "--provider", "github"],
    ]) {
      expect(await place.run(command, { env })).toMatchObject({ code: 0 });
    }
    const bound = place.config();
    const storing = [
      await push(place, company, ["--json"], env),
      await place.run(["sync", "run", "--json"], { env }),
      await place.run(["bind", "--provider", "github", "--yes", "--json"], { env }),
      await place.run(["host", "connect", "github", "--from-env", "GH_TOKEN", "--json"], { env }),
      await place.run(["host", "mappings", "delete", "srm_1", "--json"], { env }),
    ].map(errorOf);
    for (const { code, message, hint } of storing) {
      expect(code).toBe("database_unavailable");
      expect(message).toContain(NOWHERE);
      expect(hint).toContain("TRACKER_HOME");
    }
    expect(writesOf(company)).toBe(0);
    expect(place.config()).toBe(bound);
    await company.simulator.stop();
  });

  test("and holds a connection is read as it is", async () => {
    const company = await linear();
    company.add("Refund twice");
    using place = clone(await committed(company));
    expect(await connect(place, company)).toMatchObject({ code: 0 });
    expect(await place.run(["status"])).toMatchObject({ code: 0 });
    // The superuser may write everywhere: another user owns the folders, which are read-only.
    const STRANGER = "54321";
    const as = (...command: readonly string[]) =>
      runProgram(["setpriv", `--reuid=${STRANGER}`, `--regid=${STRANGER}`, "--clear-groups", ...command], {
        cwd: place.repository,
        env: place.env,
      });
    chmodSync(place.root, 0o755);
    if ((await as("true")).code !== 0) return expect(process.getuid?.()).not.toBe(0);
    Bun.spawnSync(["chown", "-R", `${STRANGER}:${STRANGER}`, place.root]);
    Bun.spawnSync(["chmod", "-R", "u-w", place.home]);
    const before = place.files(place.home);
    expect(await as(BINARY, "issues", "list")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("Refund twice"),
      stderr: "",
    });
    expect(await as(BINARY, "sync", "pull")).toMatchObject({ code: 0 });
    const verbose = await as(BINARY, "status", "--verbose");
    expect(verbose.stderr).toMatch(/The database .* cannot be used: .* A copy in memory is used\./);
    expect(await as(BINARY, "sync", "run")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("TRACKER_HOME"),
    });
    expect(place.files(place.home)).toEqual(before);
    await company.simulator.stop();
  });

  test("on a full disk is read as it is", async () => {
    const company = await github();
    company.add("Refund twice");
    using place = clone(await committed(company));
    // A mount of its own, which only the superuser can make.
    const script = `
      mkdir -p "$1" && mount -t tmpfs -o size=3m tmpfs "$1" || exit 77
      shift; "$@" || exit 1
      head -c 4m /dev/zero > "$TRACKER_HOME/filler" 2>/dev/null
      "$@"`;
    const home = `${place.root}/disk`;
    const list = [BINARY, "issues", "list"];
    const outcome = await runProgram(["unshare", "-m", "sh", "-c", script, "sh", home, ...list], {
      cwd: place.repository,
      env: { ...place.env, ...jobOf(company), TRACKER_HOME: home },
    });
    if (outcome.code === 77 || /unshare/.test(outcome.stderr)) return expect(process.getuid?.()).not.toBe(0);
    expect(outcome).toMatchObject({ code: 0 });
    expect(outcome.stdout.match(/Refund twice/g)).toHaveLength(2);
    await company.simulator.stop();
  });
});
