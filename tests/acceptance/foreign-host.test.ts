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
