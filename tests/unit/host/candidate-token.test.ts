import { expect, test } from "bun:test";
import fc from "fast-check";
import { HostError } from "../../../src/host/errors.ts";
import { CandidateTokens } from "../../../src/host/inventory/candidate-token.ts";

const START = Date.parse("2026-03-01T12:00:00Z");
const MINUTE = 60_000;
const CLAIM = { teamId: "team", provider: "linear", resourceId: "resource" };

const at = (now: number, key = "secret") => new CandidateTokens(key, () => now);
const redeem = (token: string, tokens = at(START + 1)) => {
  try {
    return tokens.redeem(token, CLAIM);
  } catch (error) {
    if (error instanceof HostError) return error.code;
    throw error;
  }
};

test("gives back the resource", () => {
  expect(redeem(at(START + 1).issue(CLAIM))).toBe("resource");
});

test("is the same for the same resource within five minutes", () => {
  const first = at(START + 1).issue(CLAIM);
  expect(at(START + 5 * MINUTE).issue(CLAIM)).toBe(first);
  expect(at(START + 5 * MINUTE + 1).issue(CLAIM)).not.toBe(first);
  expect(at(START + 1).issue({ ...CLAIM, resourceId: "other" })).not.toBe(first);
});

test("lives for at least 15 and at most 20 minutes", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10 * MINUTE }), (offset) => {
      const token = at(START + offset).issue(CLAIM);
      expect(redeem(token, at(START + offset + 15 * MINUTE - 1))).toBe("resource");
      expect(redeem(token, at(START + offset + 20 * MINUTE))).toBe("invalid_candidate_token");
    }),
  );
});

test("no changed character goes unnoticed", () => {
  const token = at(START + 1).issue(CLAIM);
  for (let index = 0; index < token.length; index++) {
    for (const replacement of ["A", "B", ".", "=", "é"]) {
      if (token[index] === replacement) continue;
      const forged = token.slice(0, index) + replacement + token.slice(index + 1);
      expect([forged, redeem(forged)]).toEqual([forged, "invalid_candidate_token"]);
    }
  }
});

test.each(["", "cand_", "cand_.", "cand_a.b.c", "srm_01", "null"])("%p is refused", (token) => {
  expect(redeem(token)).toBe("invalid_candidate_token");
});

test("whatever is appended is refused", () => {
  const token = at(START + 1).issue(CLAIM);
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (rest) => {
      expect(redeem(token + rest)).toBe("invalid_candidate_token");
    }),
  );
});

test("another host's key, another team and another provider are refused", () => {
  expect(redeem(at(START + 1, "other key").issue(CLAIM))).toBe("invalid_candidate_token");
  expect(redeem(at(START + 1).issue({ ...CLAIM, teamId: "other" }))).toBe("invalid_candidate_token");
  expect(redeem(at(START + 1).issue({ ...CLAIM, provider: "jira" }))).toBe("invalid_candidate_token");
});
