/** The executable against a control plane of another make. */
import { describe, expect, test } from "bun:test";
import { errorOf, resultOf } from "../helpers/binary.ts";
import { MinimalHost } from "../helpers/minimal-host.ts";
import { Scratch } from "../helpers/scratch.ts";

describe.each(["code", "error_code"] as const)(
  "a host that spells errors with `%s` and knows no extension",
  (spelling) => {
    test("is discovered, bound to, read, and its stale binding is named", async () => {
      using host = new MinimalHost(spelling);
      using place = new Scratch({ env: host.env });
      expect(resultOf(await place.run(["discover", "--provider", "linear", "--json"]))).toMatchObject([
        { number: 1, display_label: "Payments (PAY)" },
        { number: 2, display_label: "Payments Platform (PPL)" },
      ]);
      const bound = resultOf(await place.run(["bind", "--provider", "linear", "--select", "2", "--json"]));
      expect(bound).toMatchObject({
        binding_ref: "srm_foreign_1",
        provider_context: { workspace_name: "Foreign" },
      });
      expect(resultOf(await place.run(["status", "--json"]))).toMatchObject({ binding_ref: "srm_foreign_1" });
      expect(JSON.stringify(resultOf(await place.run(["status", "--all", "--json"])))).toContain(
        "srm_foreign_1",
      );

      // Its resolution leaves out context and slug: what the config knows stays.
      const again = ["bind", "--provider", "linear", "--yes", "--json"];
      expect(resultOf(await place.run(again))).toMatchObject({
        binding_ref: "srm_foreign_1",
        replaced: null,
      });
      expect(Bun.YAML.parse(place.config() ?? "")).toMatchObject({
        tracker: { project_slug: "payments-api", provider_context: { workspace_name: "Foreign" } },
      });
      const ref = ["bind", "--provider", "linear", "--bind-ref", "srm_foreign_1", "--json"];
      expect(resultOf(await place.run(ref))).toMatchObject({ binding_ref: "srm_foreign_1" });

      const config = place.config();
      host.deleteMappings();
      const stale = await place.run(["status", "--json"]);
      expect(stale.code).toBe(1);
      expect(errorOf(stale).hint).toContain("tracker bind --provider linear");
      expect(await place.run(["doctor"])).toMatchObject({ code: 1 });
      expect(place.config()).toBe(config);
      expect(host.problems).toEqual([]);
      // Its only worker would have waited for each of them.
      expect(host.idleConnections).toBe(0);
    });

    test("refuses in words that reach the person", async () => {
      using host = new MinimalHost(spelling);
      using place = new Scratch({ env: { ...host.env, TRACKER_TEAM: "others" } });
      const refused = errorOf(await place.run(["discover", "--provider", "linear", "--json"]));
      expect(refused).toMatchObject({
        code: "team_mismatch",
        message: "The foreign host says team_mismatch.",
      });
      const env = { TRACKER_TOKEN: "trk_wrong" };
      const outsider = await place.run(["discover", "--provider", "linear", "--json"], { env });
      expect(outsider.code).toBe(4);
      expect(errorOf(outsider).code).toBe("unauthorized");
    });
  },
);

describe("a host of the documented calls alone", () => {
  /** A project that is bound there. */
  async function bound(host: MinimalHost): Promise<Scratch> {
    const place = new Scratch({ env: host.env });
    const bind = ["bind", "--provider", "linear", "--select", "2"];
    expect(await place.run(bind)).toMatchObject({ code: 0 });
    return place;
  }

  test("is read, pulled from, pushed to and synchronized with", async () => {
    using host = new MinimalHost("code");
    using place = await bound(host);
    expect((await place.run(["status"])).stdout).toContain("Payments Platform (PPL)");
    const listed = await place.run(["issues", "list"]);
    expect(listed.stdout).toMatch(/^PAY-1\tRefund twice/m);
    expect(listed.stdout).toMatch(/^id-2\tRotate keys/m);
    const found = await place.run(["issues", "search", "--query", "keys", "--json"]);
    expect(resultOf(found)).toMatchObject({ candidates: [{ identifier: "PAY-1" }, { identifier: null }] });
    expect(await place.run(["sync", "pull", "--all"])).toMatchObject({ code: 0 });
    const items = JSON.stringify([{ ref: { key: "PAY-1" }, action: "transition", target_status: "done" }]);
    const pushed = await place.run(["sync", "push", "--items-json", "-"], { stdin: items });
    expect(pushed).toMatchObject({ code: 0 });
    expect(await place.run(["sync", "run"])).toMatchObject({ code: 0 });
    expect(host.problems).toEqual([]);
  });

  test.each([null, { announced: false, confirmed: false }])("is sent no dry run: %j", async (dryRuns) => {
    using host = new MinimalHost("code", dryRuns);
    using place = await bound(host);
    const refused = errorOf(await place.run(["sync", "run", "--dry-run", "--json"]));
    expect(refused).toMatchObject({ code: "dry_run_not_offered" });
    expect(refused.message).toContain("nothing was sent");
    expect(host.calls).not.toContain("POST /run/");
  });

  test("that confirms no dry run may have written", async () => {
    using host = new MinimalHost("code", { announced: true, confirmed: false });
    using place = await bound(host);
    const doubtful = errorOf(await place.run(["sync", "run", "--dry-run", "--json"]));
    expect(doubtful).toMatchObject({ code: "dry_run_not_confirmed" });
    expect(doubtful.message).toContain("may have written");
  });

  test("that confirms a dry run shows its plan", async () => {
    using host = new MinimalHost("code", { announced: true, confirmed: true });
    using place = await bound(host);
    expect(resultOf(await place.run(["sync", "run", "--dry-run", "--json"]))).toMatchObject({
      dry_run: true,
    });
  });

  test.each([
    [["mission", "seed", "--issue", "PAY-1"], "missions from issues"],
    [["sync", "conflicts"], "conflicts"],
    [["sync", "resolve", "c-1", "--take", "local"], "decisions of conflicts"],
    [["host", "connections", "list"], "connections"],
    [["host", "mappings", "delete", "srm_foreign_1"], "deleting a mapping"],
  ])("does not offer %j", async (args, extension) => {
    using host = new MinimalHost("code");
    using place = await bound(host);
    const outcome = await place.run([...args, "--json"]);
    const error = errorOf(outcome);
    expect({ exit: outcome.code, code: error.code }).toEqual({ exit: 1, code: "not_offered" });
    expect(error.message).toEndWith(`does not offer ${extension}.`);
    expect(error.hint).not.toContain("network");
  });

  test.each(["code", "error_code", "error"] as const)("passes doctor (%s)", async (spelling) => {
    using host = new MinimalHost(spelling);
    using place = await bound(host);
    const { code, stdout } = await place.run(["doctor"]);
    expect({ code, stdout }).toMatchObject({ code: 0 });
    expect(stdout).toContain("answers; it has no health check");
    expect(host.calls).toContain("GET /resources/");

    const outsider = await place.run(["doctor"], { env: { TRACKER_TOKEN: "trk_wrong" } });
    expect(outsider.code).toBe(1);
    expect(outsider.stdout).toContain("tracker auth login");
  });

  test("refuses with a text alone, which reaches the person", async () => {
    using host = new MinimalHost("error");
    using place = new Scratch({ env: { ...host.env, TRACKER_TEAM: "others" } });
    const refused = errorOf(await place.run(["discover", "--provider", "linear", "--json"]));
    expect(refused.message).toContain("HTTP 403: The foreign host says team_mismatch.");
    expect(refused.hint).not.toContain("network");
  });
});
