/** A binding's life against a real host in its own process. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import * as v from "valibot";
import { resultOf } from "../helpers/binary.ts";
import { type HostProcess, startHost } from "../helpers/host-process.ts";
import { Scratch } from "../helpers/scratch.ts";

const Bound = v.object({
  binding_ref: v.pipe(v.string(), v.regex(/^srm_[0-9A-Z]{26}$/)),
  display_label: v.string(),
});
const Discovered = v.array(
  v.object({ number: v.nullable(v.number()), display_label: v.string(), is_bound: v.boolean() }),
);

describe("tracker host serve --demo", () => {
  const owner = new Scratch();
  let host: HostProcess;
  beforeAll(async () => {
    host = await startHost(owner);
  });
  afterAll(async () => {
    await host[Symbol.asyncDispose]();
    owner[Symbol.dispose]();
  });

  test("binds by itself when the repository is the origin, and is found again by a clone's identity", async () => {
    using place = new Scratch({ env: host.env });
    const bound = v.parse(Bound, resultOf(await place.run(["bind", "--provider", "github", "--json"])));
    expect(bound.display_label).toContain("acme/payments-api");
    const status = resultOf(await place.run(["status", "--json"]));
    expect(status).toMatchObject({ provider: "github", binding_ref: bound.binding_ref, connected: true });
    expect(await place.run(["status", "--check"])).toEqual({ code: 0, stdout: "", stderr: "" });

    expect(await place.run(["unbind"])).toMatchObject({ code: 0 });
    const again = v.parse(Bound, resultOf(await place.run(["bind", "--provider", "github", "--json"])));
    expect(again.binding_ref).toBe(bound.binding_ref);
  });

  test("a pushed title and a created issue are in the next list", async () => {
    using place = new Scratch({ env: host.env, origin: "git@github.com:acme/docs.git" });
    resultOf(await place.run(["bind", "--provider", "github", "--json"]));
    const items = [
      { ref: { key: "DOCS-2" }, action: "update", patch: { title: "Show the rate and its date" } },
      { ref: {}, action: "create", patch: { title: "Explain partial refunds" } },
    ];
    const pushed = await place.run(["sync", "push", "--items-json", "-", "--json"], {
      stdin: JSON.stringify(items),
    });
    expect(resultOf(pushed)).toMatchObject({ status: "ok", summary: { total: 2, succeeded: 2 } });
    const listed = await place.run(["issues", "list"]);
    expect(listed.stdout).toContain("DOCS-2\tShow the rate and its date\t");
    expect(listed.stdout).toContain("DOCS-4\tExplain partial refunds\t");

    using elsewhere = new Scratch({ env: host.env, origin: "git@github.com:acme/mobile-app.git" });
    resultOf(await elsewhere.run(["bind", "--provider", "github", "--json"]));
    const others = await elsewhere.run(["issues", "list"]);
    expect(others.stdout).toContain("\tShow the exchange rate on invoices\t");
    expect(others.stdout).not.toContain("Explain partial refunds");
  });

  test("discover numbers are what bind --select takes", async () => {
    using place = new Scratch({ env: host.env });
    const before = v.parse(
      Discovered,
      resultOf(await place.run(["discover", "--provider", "linear", "--json"])),
    );
    expect(place.config()).toBeNull();
    const second = before.find(({ number }) => number === 2);
    const bound = v.parse(
      Bound,
      resultOf(await place.run(["bind", "--provider", "linear", "--select", "2", "--json"])),
    );
    expect(second?.display_label).toBe(bound.display_label);
    const after = v.parse(
      Discovered,
      resultOf(await place.run(["discover", "--provider", "linear", "--json"])),
    );
    expect(after.filter(({ is_bound }) => is_bound).map((row) => row.display_label)).toContain(
      bound.display_label,
    );
    expect(after.map((row) => row.display_label).toSorted()).toEqual(
      before.map((row) => row.display_label).toSorted(),
    );
  });

  test("a choice in a terminal, then the whole installation's state, then --bind-ref elsewhere", async () => {
    using place = new Scratch({ env: host.env, origin: "https://gitlab.com/elsewhere/backend.git" });
    const terminal = place.open(["bind", "--provider", "jira"]);
    await terminal.waitFor("1");
    terminal.typeLine("1");
    expect(await terminal.exit()).toBe(0);
    const bound = v.parse(Bound, resultOf(await place.run(["status", "--json"])));
    expect(terminal.text).toContain(bound.binding_ref);

    const all = resultOf(await place.run(["status", "--all", "--json"]));
    expect(JSON.stringify(all)).toContain(bound.binding_ref);
    expect(resultOf(await place.run(["map", "list", "--json"]))).toMatchObject({
      mappings: [{ binding_ref: bound.binding_ref, project_slug: "backend" }],
      pending_binding_upgrade: null,
    });

    using other = new Scratch({ env: host.env });
    const foreign = await other.run(["bind", "--provider", "jira", "--bind-ref", bound.binding_ref]);
    expect(foreign).toMatchObject({ code: 1, stdout: "" });
    expect(other.config()).toBeNull();

    const config = place.config() ?? "";
    expect(await place.run(["unbind"])).toMatchObject({ code: 0 });
    const back = ["bind", "--provider", "jira", "--bind-ref", bound.binding_ref, "--json"];
    expect(resultOf(await place.run(back))).toMatchObject({ binding_ref: bound.binding_ref });
    expect(Bun.YAML.parse(place.config() ?? "")).toMatchObject({
      project: Object(Bun.YAML.parse(config)).project,
      tracker: { provider: "jira", binding_ref: bound.binding_ref },
    });
  });

  test("a second clone from before the config was committed is the same project", async () => {
    using first = new Scratch({ env: host.env, origin: "git@github.com:acme/storefront.git" });
    using second = new Scratch({ env: host.env, origin: "https://github.com/Acme/Storefront" });
    const bind = ["bind", "--provider", "github", "--json"];
    const bound = v.parse(Bound, resultOf(await first.run(bind)));
    expect(v.parse(Bound, resultOf(await second.run(bind))).binding_ref).toBe(bound.binding_ref);
    const recorded = (place: Scratch) => Object(Bun.YAML.parse(place.config() ?? "")).project.uuid;
    expect(recorded(second)).toBe(recorded(first));
  });

  test("another project with the same remote shares the resource", async () => {
    const origin = "git@github.com:acme/backend-api.git";
    using first = new Scratch({ env: host.env, origin });
    const config = "project:\n  uuid: 3f2a8c1e-5b7d-4e90-a1c2-9d8e7f6a5b4c\n";
    using second = new Scratch({ env: host.env, origin, config });
    const bind = ["bind", "--provider", "github", "--json"];
    const bound = v.parse(Bound, resultOf(await first.run(bind)));
    const shared = v.parse(Bound, resultOf(await second.run(bind)));
    expect(shared.display_label).toBe(bound.display_label);
    expect(shared.binding_ref).not.toBe(bound.binding_ref);
  });

  test("a binding that the host does not know is stale", async () => {
    const config = "tracker:\n  provider: linear\n  binding_ref: srm_01HXYZ0000000000000000000A\n";
    using place = new Scratch({ env: host.env, config });
    const outcome = await place.run(["status"]);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain("srm_01HXYZ0000000000000000000A");
    expect(outcome.stderr).toContain("tracker bind --provider linear");
    expect(place.config()).toBe(config);
  });

  test("a wrong token exits 4 and says how to log in", async () => {
    using place = new Scratch({ env: { ...host.env, TRACKER_TOKEN: "trk_wrong" } });
    const outcome = await place.run(["bind", "--provider", "linear", "--select", "1"]);
    expect(outcome).toMatchObject({ code: 4, stdout: "" });
    expect(outcome.stderr).toContain("tracker auth login");
    expect(place.config()).toBeNull();
  });

  test("doctor finds nothing wrong", async () => {
    using place = new Scratch({ env: host.env });
    expect(await place.run(["bind", "--provider", "gitlab", "--select", "1"])).toMatchObject({ code: 0 });
    const outcome = await place.run(["doctor"]);
    expect(outcome.code).toBe(0);
    for (const check of [/git/i, /config/i, /identity/i, /session/i, /binding/i])
      expect(outcome.stdout).toMatch(check);
  });
});
