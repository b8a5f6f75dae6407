import { describe, expect, test } from "bun:test";
import {
  exactFirst,
  matchingResources,
  type NumberedResource,
  narrowResources,
  numberResources,
  sameResource,
} from "../../src/discovery.ts";
import type { BindableResource, BindCandidate } from "../../src/protocol.ts";

function candidate(position: number, label: string, token = `cand_${position}`): BindCandidate {
  return {
    candidate_token: token,
    display_label: label,
    confidence: "medium",
    match_reason: "a shared word",
    sort_position: position,
  };
}

function resource(label: string, token: string, context: Record<string, string> = {}): BindableResource {
  return {
    candidate_token: token,
    display_label: label,
    provider: "linear",
    provider_context: context,
    binding_ref: null,
    bound_project_slug: null,
    bound_at: null,
  };
}

const labelsOf = (rows: readonly NumberedResource[]) => rows.map(({ label }) => label);
const summary = (rows: readonly NumberedResource[]) =>
  rows.map(({ number, label, candidateToken }) => `${number} ${label} ${candidateToken}`);

describe("numbers", () => {
  const resources = [resource("Operations", "a"), resource("Payments", "cand_0"), resource("Other", "c")];

  test("go to the candidates first, in the control plane's order, then to the rest", () => {
    const candidates = [candidate(1, "Operations", "a"), candidate(0, "Payments")];
    expect(summary(numberResources(candidates, resources))).toEqual([
      "1 Payments cand_0",
      "2 Operations a",
      "3 Other c",
    ]);
    expect(numberResources(candidates, resources).map(({ resource }) => resource)).toEqual([
      resources[1] ?? null,
      resources[0] ?? null,
      resources[2] ?? null,
    ]);
  });

  test("follow the list where nothing is ranked", () => {
    expect(summary(numberResources([], resources))).toEqual([
      "1 Operations a",
      "2 Payments cand_0",
      "3 Other c",
    ]);
  });

  test("know a candidate by its label where every answer has new tokens", () => {
    expect(summary(numberResources([candidate(0, "Other", "fresh")], resources))).toEqual([
      "1 Other fresh",
      "2 Operations a",
      "3 Payments cand_0",
    ]);
  });

  test("never join a candidate with one of two equal labels", () => {
    const twins = [resource("Payments", "a"), resource("Payments", "b")];
    const rows = numberResources([candidate(0, "Payments", "fresh")], twins);
    expect(summary(rows)).toEqual(["1 Payments fresh", "2 Payments a", "3 Payments b"]);
    expect(rows[0]?.resource).toBeNull();
    expect(summary(numberResources([candidate(0, "Payments", "b")], twins))).toEqual([
      "1 Payments b",
      "2 Payments a",
    ]);
  });

  test.each([
    ["its token", { candidate_token: "c", binding_ref: null }],
    ["its binding", { candidate_token: null, binding_ref: "srm_other" }],
  ])("go to an exact match first, by %s", (_what, facts) => {
    const bound = resources.map((each) =>
      each.display_label === "Other" ? { ...each, binding_ref: "srm_other" } : each,
    );
    const resolution = {
      ...{ display_label: "Other", project_slug: null, provider_context: null, candidates: [] },
      ...facts,
    };
    const first = (match_type: "exact" | "none") =>
      labelsOf(numberResources([], exactFirst(bound, { ...resolution, match_type })));
    expect(first("exact")).toEqual(["Other", "Operations", "Payments"]);
    expect(first("none")).toEqual(["Operations", "Payments", "Other"]);
  });

  test("stay without a gap when the list lacks a candidate", () => {
    const rows = numberResources([candidate(0, "Hidden"), candidate(1, "Other", "c")], resources.slice(2));
    expect(summary(rows)).toEqual(["1 Hidden cand_0", "2 Other c"]);
  });
});

const ROWS = numberResources(
  [],
  [
    resource("Payments (PAY)", "1"),
    resource("Payments Platform (PPL)", "2"),
    resource("Operations (EU) (OPS)", "3"),
    resource("acme/Pay", "4"),
    resource("Straße", "5", { display_key: "STR" }),
    resource("payments", "6"),
  ],
);

describe("matching", () => {
  test.each([
    ["Payments (PAY)", ["Payments (PAY)"]],
    ["payments (pay)", ["Payments (PAY)"]],
    ["PAY", ["Payments (PAY)"]],
    ["pay", ["Payments (PAY)"]],
    ["payments", ["payments"]],
    ["Payments", ["payments"]],
    ["payments platform", ["Payments Platform (PPL)"]],
    ["operations (eu)", ["Operations (EU) (OPS)"]],
    ["acme/pay", ["acme/Pay"]],
    ["str", ["Straße"]],
    ["STRAßE", ["Straße"]],
    ["platform", ["Payments Platform (PPL)"]],
    [" eu ", ["Operations (EU) (OPS)"]],
    ["ments", ["Payments (PAY)", "Payments Platform (PPL)", "payments"]],
    ["zebra", []],
    ["", []],
    ["  ", []],
  ])("%p", (text, found) => {
    expect(labelsOf(matchingResources(ROWS, text))).toEqual(found);
  });

  test("takes the last segment of a path", () => {
    const rows = numberResources([], [resource("acme/web", "1"), resource("acme/web-api", "2")]);
    expect(labelsOf(matchingResources(rows, "web"))).toEqual(["acme/web"]);
  });

  test.each([
    ["pay", ["Payments (PAY)", "Payments Platform (PPL)", "acme/Pay", "payments"]],
    ["PLATFORM", ["Payments Platform (PPL)"]],
    ["(ops)", ["Operations (EU) (OPS)"]],
    ["str", ["Straße"]],
    ["zebra", []],
  ])("%p narrows by part of the label or key", (text, found) => {
    expect(labelsOf(narrowResources(ROWS, text))).toEqual(found);
  });
});

describe("the same resource in a later answer", () => {
  const row = (label: string, token: string, url?: string): NumberedResource[] =>
    numberResources([], [resource(label, token, url === undefined ? {} : { resource_url: url })]);
  const [wanted] = row("Payments", "old", "https://linear.app/pay");
  if (wanted === undefined) throw new Error("one row");

  test("is found under its new token", () => {
    expect(sameResource(row("Payments", "new", "https://linear.app/pay"), wanted)?.candidateToken).toBe(
      "new",
    );
  });

  test("is none when it is gone, became another, or cannot be told from a twin", () => {
    expect(sameResource([], wanted)).toBeNull();
    expect(sameResource(row("Billing", "new", "https://linear.app/pay"), wanted)).toBeNull();
    expect(sameResource(row("Payments", "new", "https://linear.app/other"), wanted)).toBeNull();
    expect(sameResource([wanted, wanted], wanted)).toBeNull();
  });
});
