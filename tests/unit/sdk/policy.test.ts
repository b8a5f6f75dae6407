import { describe, expect, test } from "bun:test";
import * as v from "valibot";
import { OwnershipPolicy, ownerOf } from "../../../src/sdk/engine/policy.ts";
import { CORE_FIELDS } from "../../../src/sdk/model.ts";

describe("ownership policy", () => {
  test("gives everything to the provider unless it says otherwise", () => {
    const policy = v.parse(OwnershipPolicy, {});
    expect(policy).toEqual({
      mode: "external_authoritative",
      fieldOwners: {},
      strategy: "newer_timestamp",
      strictManualReview: false,
    });
    expect(new Set(CORE_FIELDS.map((field) => ownerOf(policy, field)))).toEqual(new Set(["external"]));
  });

  test("gives everything to the local side under spec_kitty_authoritative", () => {
    const policy = v.parse(OwnershipPolicy, { mode: "spec_kitty_authoritative" });
    expect(new Set(CORE_FIELDS.map((field) => ownerOf(policy, field)))).toEqual(new Set(["local"]));
  });

  test("shares what split ownership does not name", () => {
    const policy = v.parse(OwnershipPolicy, {
      mode: "split_ownership",
      fieldOwners: { title: "external", body: "local" },
    });
    expect(ownerOf(policy, "title")).toBe("external");
    expect(ownerOf(policy, "body")).toBe("local");
    expect(ownerOf(policy, "status")).toBe("shared");
  });

  test("names owners only where ownership is split", () => {
    const policy = v.parse(OwnershipPolicy, { fieldOwners: { title: "local" } });
    expect(ownerOf(policy, "title")).toBe("external");
  });

  test("refuses modes, owners, strategies and fields that there are not", () => {
    for (const wrong of [
      { mode: "both" },
      { fieldOwners: { title: "nobody" } },
      { fieldOwners: { headline: "local" } },
      { strategy: "coin_toss" },
    ]) {
      expect(v.is(OwnershipPolicy, wrong)).toBe(false);
    }
  });
});
