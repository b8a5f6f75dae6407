import { describe, expect, test } from "bun:test";
import {
  candidateByNumber,
  candidatesByMatch,
  narrowCandidates,
  numberByPosition,
  numberByResolution,
  numberOf,
  orderCandidates,
  sameCandidate,
  withoutNumbers,
} from "../../src/discovery.ts";
import type { BindableResource, BindCandidate, BindResolveResponse } from "../../src/protocol.ts";

function candidate(position: number, label: string, reason = "a shared word"): BindCandidate {
  return {
    candidate_token: `cand_${position}`,
    display_label: label,
    confidence: "medium",
    match_reason: reason,
    sort_position: position,
  };
}

function resource(token: string, label: string): BindableResource {
  return {
    candidate_token: token,
    display_label: label,
    provider: "linear",
    provider_context: {},
    binding_ref: null,
    bound_project_slug: null,
    bound_at: null,
  };
}

function resolution(
  candidates: BindCandidate[],
  match_type: BindResolveResponse["match_type"] = "candidates",
) {
  return {
    match_type,
    candidate_token: null,
    binding_ref: null,
    display_label: null,
    project_slug: null,
    provider_context: null,
    candidates,
  };
}

const PAY = candidate(0, "Payments (PAY)");
const PPL = candidate(1, "Payments Platform (PPL)");
const OPS = candidate(2, "Operations (EU) (OPS)");
const ALL = [PAY, PPL, OPS];

describe("numbers", () => {
  test("follow the host's positions whatever the order of arrival, from 1", () => {
    const arrived = [OPS, PAY, PPL];
    expect(orderCandidates(arrived)).toEqual(ALL);
    expect(arrived).toEqual([OPS, PAY, PPL]);
    expect(ALL.map(numberOf)).toEqual([1, 2, 3]);
  });

  test.each([
    [1, PAY],
    [3, OPS],
  ])("%i is that candidate", (number, expected) => {
    expect(candidateByNumber([OPS, PAY, PPL], number)).toEqual(expected);
  });

  test.each([0, -1, 4, 1.5, Number.NaN])("%d is none", (number) => {
    expect(candidateByNumber(ALL, number)).toBeNull();
  });
});

describe("matching", () => {
  test.each([
    ["Payments (PAY)", [PAY]],
    ["PAY", [PAY]],
    ["OPS", [OPS]],
    ["EU", []],
    ["Payments", []],
    ["pay", []],
    ["(PAY)", []],
    ["", []],
  ])("%p by whole label or key", (wanted, found) => {
    expect(candidatesByMatch(ALL, wanted)).toEqual(found);
  });

  test("finds everything that is called so", () => {
    const twins = [candidate(0, "A (PAY)"), candidate(1, "B (PAY) ")];
    expect(candidatesByMatch(twins, "PAY")).toEqual(twins);
  });

  test.each([
    ["pay", [PAY, PPL]],
    ["PLATFORM", [PPL]],
    ["(ops)", [OPS]],
    ["zebra", []],
  ])("%p narrows by part, whatever the case", (words, found) => {
    expect(narrowCandidates(ALL, words)).toEqual(found);
  });
});

describe("the same candidate in a later resolution", () => {
  const later = ALL.map((each) => ({ ...each, candidate_token: `new_${each.candidate_token}` }));

  test("is found under its new token and position", () => {
    const moved = later.map((each) => ({ ...each, sort_position: 2 - each.sort_position }));
    expect(sameCandidate(moved, PPL)?.candidate_token).toBe("new_cand_1");
  });

  test("is none when it is gone, became another, or cannot be told from a twin", () => {
    expect(sameCandidate([], PAY)).toBeNull();
    expect(sameCandidate([candidate(0, "Payments (PAX)")], PAY)).toBeNull();
    expect(sameCandidate([candidate(0, "Payments (PAY)", "another reason")], PAY)).toBeNull();
    expect(sameCandidate([PAY, { ...PAY, candidate_token: "twin" }], PAY)).toBeNull();
  });
});

describe("numbering resources", () => {
  const resources = [
    resource("cand_2", "Operations (EU) (OPS)"),
    resource("cand_0", "Payments (PAY)"),
    resource("x", "Unrelated"),
  ];
  const numbers = (numbered: ReturnType<typeof withoutNumbers>) => numbered.map(({ number }) => number);

  test("by position", () => {
    expect(numbers(numberByPosition(resources))).toEqual([1, 2, 3]);
    expect(numbers(withoutNumbers(resources))).toEqual([null, null, null]);
  });

  test("by the tokens of a resolution, in the list's own order", () => {
    const numbered = numberByResolution(resources, resolution(ALL));
    expect(numbers(numbered)).toEqual([3, 1, null]);
    expect(numbered.map(({ resource }) => resource)).toEqual(resources);
  });

  test("by label where every answer has fresh tokens", () => {
    const fresh = ALL.map((each) => ({ ...each, candidate_token: `fresh_${each.sort_position}` }));
    expect(numbers(numberByResolution(resources, resolution(fresh)))).toEqual([3, 1, null]);
  });

  test("not by a label that two resources share", () => {
    const twins = [resource("a", "Payments (PAY)"), resource("b", "Payments (PAY)")];
    expect(numbers(numberByResolution(twins, resolution([PAY])))).toEqual([null, null]);
    const withToken = [resource("a", "Payments (PAY)"), resource("cand_0", "Payments (PAY)")];
    expect(numbers(numberByResolution(withToken, resolution([PAY])))).toEqual([null, 1]);
  });

  test.each(["exact", "none"] as const)("not by a resolution that asks nothing: %s", (matchType) => {
    expect(numbers(numberByResolution(resources, resolution(ALL, matchType)))).toEqual([null, null, null]);
  });
});
