/** Each real provider, from its token to a mission, over the provider's own protocol. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import * as v from "valibot";
import { ConflictsResponse } from "../../src/protocol.ts";
import { resultOf } from "../helpers/binary.ts";
import { startHost } from "../helpers/host-process.ts";
import { type Company, github, gitlab, jira, linear } from "../helpers/providers.ts";
import { MINUTE, Person } from "../helpers/providers-person.ts";
import { withoutRandomWaits } from "../helpers/random-waits.ts";
import { LOOPBACK_ORIGIN, Scratch } from "../helpers/scratch.ts";
import { NangoSimulator } from "../simulators/nango.ts";

const COMPANIES: readonly (readonly [string, () => Promise<Company>])[] = [
  ["github", () => github()],
  ["gitlab", () => gitlab()],
  ["jira", jira],
  ["linear", linear],
];
const NANGO_KEY = "nango-canary-5d0e71b94a";

withoutRandomWaits();

describe.each(COMPANIES)("%s", (_, open) => {
  let person: Person;
  let company: Company;

  beforeEach(async () => {
    company = await open();
    person = new Person(company);
  });
  afterEach(async () => {
    person.expectSecretless();
    await person[Symbol.asyncDispose]();
  });

  test("is connected, and bound to what the repository is about", async () => {
    const { provider, label, binds } = company;
    const key = company.add("Refund twice");
    const connected = await person.connect();
    expect(connected).toMatchObject({ code: 0, stderr: "" });
    expect(connected.stdout).toEndWith(`Next: tracker bind --provider ${provider}\n`);

    const discovered = await person.run(["discover", "--provider", provider]);
    const first = discovered.stdout.split("\n").find((line) => line.startsWith("1\t"));
    const asked = await person.run(["bind", "--provider", provider, "--explain"]);
    if (binds === "alone") {
      expect(discovered.stderr).toContain(`\`tracker bind --provider ${provider}\` binds to ${label}.`);
      expect(first).toStartWith(`1\t${label}\t`);
      expect(asked).toMatchObject({ code: 0 });
      expect(asked.stderr).toContain(label);
      expect(asked.stdout).toContain(`Bound to ${label}\n`);
    } else {
      expect(first).toStartWith(`1\t${label}\t`);
      expect(asked).toMatchObject({ code: 1, stdout: "" });
      expect(asked.stderr).toContain(
        `1. ${label}\n   high: same name as the repository\n2. Payments (PAYS)\n`,
      );
      expect(asked.stderr).toContain("--select NUMBER");
      expect(asked.stderr).not.toContain("Backend");
      const chosen = await person.run(["bind", "--provider", provider, "--select", "1"]);
      expect(chosen).toMatchObject({ code: 0 });
      expect(chosen.stdout).toContain(`Bound to ${label}\n`);
    }
    const row = `${key}\tRefund twice\ttodo\t`;
    expect((await person.run(["issues", "list"])).stdout).toContain(row);
    expect((await person.run(["issues", "search", "--key", key])).stdout).toContain(row);
  });

  test("is pulled and pushed to, and a second run writes nothing", async () => {
    const key = company.add("Refund twice");
    await person.settle();
    const unsynced = await person.run(["status"]);
    expect(unsynced.stdout).toMatch(/^Last synced +never$/m);
    expect(unsynced.stdout).toMatch(/^Next +tracker sync pull --all$/m);
    expect(await person.run(["sync", "pull"])).toMatchObject({ code: 0 });
    person.later();
    company.rename(key, "Refund thrice");
    const pulled = resultOf(await person.run(["sync", "pull", "--json"]));
    expect(pulled).toMatchObject({ items: [{ title: "Refund thrice", ref: { key } }] });

    const created = resultOf(
      await person.push({
        ref: {},
        action: "create",
        patch: { title: "Which ledger?", body: "Old or new", labels: ["billing"] },
      }),
    );
    expect(created).toMatchObject({
      items: [{ outcome: "applied", remote_ref: { key: key.replace("1", "2") } }],
    });
    const other = key.replace("1", "2");
    const pushed = resultOf(
      await person.push(
        { ref: { key }, action: "update", patch: { title: "Refund once" } },
        { ref: { key }, action: "link", link: { type: "blocked_by", target: { key: other } } },
        { ref: { key }, action: "comment", body: "Shipped in 1.4." },
        { ref: { key }, action: "transition", target_status: "done" },
      ),
    );
    expect(pushed).toMatchObject({ status: "ok", summary: { total: 4, succeeded: 4 } });
    expect(await company.see(key)).toEqual({
      title: "Refund once",
      labels: [],
      isDone: true,
      comments: ["Shipped in 1.4."],
      blockers: [other],
    });
    expect(await company.see(other)).toMatchObject({
      title: "Which ledger?",
      labels: ["billing"],
      isDone: false,
      blockers: [],
    });

    expect(await person.run(["sync", "run"])).toMatchObject({ code: 0 });
    const before = person.writes();
    const again = resultOf(await person.run(["sync", "run", "--json"]));
    expect(again).toMatchObject({ status: "ok", pull: { items: [] }, push: { items: [] } });
    expect(person.writes()).toBe(before);

    const status = await person.run(["status"]);
    expect(status).toMatchObject({ code: 0, stderr: "" });
    expect(status.stdout.trimEnd().split("\n").length).toBeLessThanOrEqual(10);
    expect(status.stdout).toMatch(/^Last synced +just now$/m);
    expect(status.stdout).toMatch(/^Issues +2$/m);
    expect(status.stdout).toMatch(/^Next +tracker sync run$/m);
  });

  test("is not asked for what it has no place for", async () => {
    company.add("Refund twice");
    await person.settle();
    await person.run(["sync", "pull"]);
    const { item, message } = company.refused;
    const outcome = await person.push(item);
    expect(outcome.code).toBe(1);
    expect(JSON.parse(outcome.stdout)).toMatchObject({
      status: "error",
      items: [{ outcome: "rejected", message: expect.stringMatching(message) }],
    });
    expect(person.writes()).toBe(0);
    // It is no edit that later runs would send.
    expect(await person.run(["sync", "run"])).toMatchObject({ code: 0 });
    expect(person.writes()).toBe(0);
  });

  test("wins or gives way on a field that both sides changed, as the mapping's ownership says", async () => {
    await person.settle();
    const theirs = { outcome: "conflict", code: 1, stands: "Theirs", resolution: "external" };
    const ours = { outcome: "applied", code: 0, stands: "Ours", resolution: "local" };
    const cases = [
      { flags: ["external_authoritative"], editedThere: 0, result: theirs },
      { flags: ["spec_kitty_authoritative"], editedThere: 0, result: ours },
      { flags: ["split_ownership", "--field-owner", "title=external"], editedThere: 0, result: theirs },
      { flags: ["split_ownership", "--field-owner", "title=local"], editedThere: 0, result: ours },
      // Shared: whoever edited it last.
      { flags: ["split_ownership", "--field-owner", "title=shared"], editedThere: -MINUTE, result: ours },
      { flags: ["split_ownership", "--field-owner", "title=shared"], editedThere: MINUTE, result: theirs },
    ];
    const results: unknown[] = [];
    for (const [index, { flags, editedThere }] of cases.entries()) {
      const update = ["host", "mappings", "update", person.reference, "--doctrine-mode", ...flags];
      expect(await person.run(update)).toMatchObject({ code: 0 });
      // Within what every pull reads again.
      person.later(-2 * MINUTE);
      const key = company.add(`Old ${index}`);
      expect(await person.run(["sync", "pull"])).toMatchObject({ code: 0 });
      person.later(editedThere);
      company.rename(key, `Theirs ${index}`);
      const { code, stdout } = await person.push({
        ref: { key },
        action: "update",
        patch: { title: `Ours ${index}` },
      });
      const { items } = JSON.parse(stdout);
      const { title } = await company.see(key);
      results.push({
        outcome: items[0].outcome,
        code,
        stands: title.split(" ")[0],
        resolution: recordOf(index),
      });
    }
    expect(results).toEqual(cases.map(({ result }) => result));
    expect((await person.run(["sync", "conflicts"])).stdout).toBe("No conflict waits for a decision.\n");
    // Nothing of it is left for a run to write.
    const before = person.writes();
    expect(await person.run(["sync", "run"])).toMatchObject({ code: 0 });
    expect(person.writes()).toBe(before);

    /** How the record of a conflict says that it was decided. */
    function recordOf(index: number): string | undefined {
      using database = person.database();
      return database
        .query<{ readonly resolution: string }, [string, string]>(
          "select resolution from conflicts where field = 'title' and local = ? and remote = ?",
        )
        .get(JSON.stringify(`Ours ${index}`), JSON.stringify(`Theirs ${index}`))?.resolution;
    }
  });

  test("waits for a person over what both sides changed, where that is wanted", async () => {
    await person.settle();
    const update = ["host", "mappings", "update", person.reference, "--doctrine-mode", "split_ownership"];
    expect(await person.run([...update, "--conflict-strategy", "manual_review"])).toMatchObject({ code: 0 });
    person.later(-2 * MINUTE);
    const key = company.add("Old");
    await person.run(["sync", "pull"]);
    company.rename(key, "Theirs");
    const pushed = await person.push({ ref: { key }, action: "update", patch: { title: "Ours" } });
    expect(JSON.parse(pushed.stdout)).toMatchObject({ items: [{ outcome: "conflict" }] });
    expect(await company.see(key)).toMatchObject({ title: "Theirs" });

    const { stdout } = await person.run(["status"]);
    expect(stdout).toMatch(/^Conflicts +1 open: .*title$/m);
    expect(stdout).toMatch(/^Next +tracker sync conflicts$/m);
    const { conflicts } = v.parse(
      ConflictsResponse,
      resultOf(await person.run(["sync", "conflicts", "--json"])),
    );
    expect(conflicts).toMatchObject([{ field: "title", local: "Ours", remote: "Theirs", resolution: null }]);
    const decide = ["sync", "resolve", conflicts[0]?.id ?? "", "--take", "local"];
    expect(await person.run(decide)).toMatchObject({ code: 0 });
    expect(await person.run(["sync", "run"])).toMatchObject({ code: 0 });
    expect(await company.see(key)).toMatchObject({ title: "Ours" });
  });

  test("makes once what it was asked for, when its answer is lost", async () => {
    const key = company.add("Refund twice");
    await person.settle();
    const items = [
      { ref: {}, action: "create", patch: { title: "Which ledger?" } },
      { ref: { key }, action: "update", patch: { title: "Refund once" } },
      { ref: { key }, action: "transition", target_status: "done" },
    ];
    for (const item of items) {
      company.simulator.fail({ kind: "lost_response" }, company.isWrite);
      expect(resultOf(await person.push(item))).toMatchObject({ items: [{ outcome: "applied" }] });
      expect(company.simulator.pendingFaults).toBe(0);
    }
    expect(await company.see(key)).toMatchObject({ title: "Refund once", isDone: true });
    const { stdout } = await person.run(["issues", "list"]);
    expect(stdout.match(/Which ledger\?/g)).toHaveLength(1);
  });

  test("shows a comment once, when its answer is lost", async () => {
    const key = company.add("Refund twice");
    await person.settle();
    company.simulator.fail({ kind: "lost_response" }, company.isWrite);
    const { stdout } = await person.push({ ref: { key }, action: "comment", body: "On it." });
    expect(JSON.parse(stdout)).toMatchObject({ items: [{ outcome: "applied" }] });
    expect((await company.see(key)).comments).toEqual(["On it."]);
  });

  test("gives a mission its start, and hears of it once", async () => {
    const [key, decision] = [company.add("Refund twice"), company.add("Which ledger?")];
    await person.settle();
    const about = ["--issue", key, "--mission-id", "m-7"];
    const seed = resultOf(await person.run(["mission", "seed", ...about, "--json"]));
    expect(seed).toMatchObject({ mission_id: "m-7", title: "Refund twice", source_issue_ref: { key } });

    const publish = ["mission", "publish", ...about, "--state", "implementing", "--summary", "Half way"];
    const decisions = ["--blocking-decision", `D-1=${decision}`, "--decision", "D-2"];
    const published = await person.run([...publish, ...decisions, "--status", "done", "--json"]);
    expect(resultOf(published)).toMatchObject({ title: "Refund twice", omitted: ["custom_field"] });
    const before = person.writes();
    expect(await person.run([...publish, ...decisions, "--status", "done"])).toMatchObject({ code: 0 });
    expect(person.writes()).toBe(before);

    const { comments, blockers, isDone } = await company.see(key);
    expect({ blockers, isDone }).toEqual({ blockers: [decision], isDone: true });
    expect(comments).toHaveLength(1);
    for (const fact of ["m-7", "implementing", "Half way", "D-1", "D-2"]) expect(comments[0]).toContain(fact);
  });

  test("hears of a mission once, when an answer is lost", async () => {
    const [key, decision] = [company.add("Refund twice"), company.add("Which ledger?")];
    await person.settle();
    const about = ["--issue", key, "--mission-id", "m-7", "--state", "waiting"];
    const publish = ["mission", "publish", ...about, "--blocking-decision", `D-1=${decision}`];
    // That of the link, and that of the comment.
    for (let count = 0; count < 2; count++)
      company.simulator.fail({ kind: "lost_response" }, company.isWrite);
    expect(await person.run(publish)).toMatchObject({ code: 0 });
    expect(company.simulator.pendingFaults).toBe(0);
    expect(await company.see(key)).toMatchObject({
      comments: [expect.stringContaining("D-1")],
      blockers: [decision],
    });
  });

  test("is worked on when the inventory is gone", async () => {
    company.add("Refund twice");
    await person.settle();
    {
      using database = person.database();
      database.run("delete from resources");
      database.run("delete from workspaces");
    }
    const listed = await person.run(["issues", "list"]);
    expect(listed).toMatchObject({ code: 0, stderr: "" });
    expect(listed.stdout).toContain("Refund twice");
    expect(await person.run(["sync", "run"])).toMatchObject({ code: 0 });
  });

  test("keeps its token to itself, however much is to be told", async () => {
    const noise = { BUN_CONFIG_VERBOSE_FETCH: "curl", NODE_DEBUG: "http,https,net,tls" };
    const { provider, address, token } = company;
    const connect = ["host", "connect", provider, "--from-env", "THEIR_TOKEN", ...address, "--verbose"];
    expect(await person.runProcess(connect, { ...noise, THEIR_TOKEN: token })).toMatchObject({ code: 0 });
    expect(await person.bind()).toMatchObject({ code: 0 });
    const body = {
      message: `Bad credentials: ${token}`,
      errorMessages: [token],
      errors: [{ message: token }],
    };
    company.simulator.fail({ kind: "answer", status: 401, body });
    const refused = await person.runProcess(["issues", "list", "--verbose"], noise);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain(`tracker host connect ${provider}`);
    expect(await person.runProcess(["issues", "list", "--verbose"], noise)).toMatchObject({ code: 0 });
    // `afterEach` looks at all that was said and kept.
  });

  test("is reached through Nango, which keeps the token", async () => {
    const { provider, nango: route } = company;
    const nango = await new NangoSimulator({ secretKey: NANGO_KEY }).start();
    try {
      nango.integrate({
        providerConfigKey: "ours",
        baseUrl: route.baseUrl,
        connections: [{ connectionId: "ada", credential: { authorization: route.authorization } }],
      });
      const key = company.add("Refund twice");
      const ids = ["--nango-connection-id", "ada", "--nango-provider-config-key", "ours"];
      const connect = ["host", "connect", provider, ...ids, "--nango-url", nango.origin, "--token-stdin"];
      expect(await person.run(connect, NANGO_KEY)).toMatchObject({ code: 0, stderr: "" });
      const bound = await person.bind();
      expect(bound).toMatchObject({ code: 0 });
      expect(bound.stdout).toContain(`Bound to ${company.label}\n`);
      company.simulator.requests.length = 0;
      expect((await person.run(["issues", "list"])).stdout).toContain("Refund twice");
      const comment = { ref: { key }, action: "comment", body: "On it." };
      expect(resultOf(await person.push(comment))).toMatchObject({ items: [{ outcome: "applied" }] });
      const shown = company.simulator.requests.map(({ headers }) => headers.get("authorization"));
      expect(new Set(shown)).toEqual(new Set([route.authorization]));
      expect((await company.see(key)).comments).toEqual(["On it."]);
      person.expectSecretless([NANGO_KEY]);
    } finally {
      await nango.stop();
    }
  });
});

describe("GitLab on its free plan", () => {
  let person: Person;
  let company: Company;

  beforeEach(async () => {
    company = await gitlab("free");
    person = new Person(company);
    company.add("Refund twice");
    company.add("Which ledger?");
    await person.settle();
  });
  afterEach(() => person[Symbol.asyncDispose]());

  test("says what a blocking link needs, and links otherwise", async () => {
    await person.run(["sync", "pull"]);
    const link = (type: string) => ({
      ref: { key: "#1" },
      action: "link",
      link: { type, target: { key: "#2" } },
    });
    const outcome = await person.push(link("blocked_by"), link("relates_to"));
    expect(outcome.code).toBe(1);
    expect(JSON.parse(outcome.stdout)).toMatchObject({
      status: "partial",
      items: [
        { outcome: "rejected", message: expect.stringContaining("they require GitLab Premium") },
        { outcome: "applied" },
      ],
    });
  });

  test("hears of a mission that waits for a decision, without the link", async () => {
    const about = [
      "--issue",
      "#1",
      "--mission-id",
      "m-7",
      "--state",
      "waiting",
      "--blocking-decision",
      "D-1=#2",
    ];
    const published = await person.run(["mission", "publish", ...about, "--json"]);
    expect(resultOf(published)).toMatchObject({ omitted: ["custom_field", "links"] });
    const { comments, blockers } = await company.see("#1");
    expect({ comments, blockers }).toEqual({
      comments: [expect.stringContaining("Decision refs: D-1")],
      blockers: [],
    });
  });
});

test("a served control plane serves all four", async () => {
  using owner = new Scratch({ origin: LOOPBACK_ORIGIN });
  const flags = ["--database", join(owner.root, "host.db"), "--allow-private-network"];
  await using host = await startHost(owner, { flags });
  for (const [, open] of COMPANIES) {
    await using person = new Person(await open(), host.env);
    const { company } = person;
    const key = company.add("Refund twice");
    await person.settle();
    expect((await person.run(["issues", "list"])).stdout).toContain(`${key}\tRefund twice\t`);
    const pushed = resultOf(
      await person.push(
        { ref: { key }, action: "comment", body: "On it." },
        { ref: {}, action: "create", patch: { title: "Which ledger?" } },
      ),
    );
    expect(pushed).toMatchObject({ status: "ok", summary: { succeeded: 2 } });
    expect(await company.see(key)).toMatchObject({ comments: ["On it."] });
    expect(await person.run(["sync", "run"])).toMatchObject({ code: 0 });
    const before = person.writes();
    expect(await person.run(["sync", "run"])).toMatchObject({ code: 0 });
    expect(person.writes()).toBe(before);
    person.expectSecretless();
    const files = [...owner.files(owner.root).values()].join("");
    for (const secret of company.secrets) expect(files).not.toContain(secret);
  }
});
