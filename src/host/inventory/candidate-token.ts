import { timingSafeEqual } from "node:crypto";
import * as v from "valibot";
import { parseJson } from "../../shared/json.ts";
import { HostError } from "../errors.ts";

const CANDIDATE_PREFIX = "cand_";
/** The window in which equal claims have equal tokens, in milliseconds. */
const WINDOW_MS = 5 * 60_000;
/** The validity of a token after its window, in milliseconds. */
const LIFETIME_MS = 15 * 60_000;

interface CandidateClaim {
  readonly teamId: string;
  readonly provider: string;
  readonly resourceId: string;
}

const Payload = v.strictTuple([v.string(), v.string(), v.string(), v.number()]);

/**
 * Signs and verifies candidate tokens: `cand_<payload>.<HMAC-SHA-256>`, both base64url. No row is written. Equal
 * claims have equal tokens within five minutes, so that lists fetched moments apart can be joined by token.
 */
export class CandidateTokens {
  readonly #key: string;
  readonly #now: () => number;

  /** @param key the host's secret, 32 random bytes as text */
  constructor(key: string, now: () => number) {
    this.#key = key;
    this.#now = now;
  }

  /** A token for the claim, good for 15 to 20 minutes. */
  issue({ teamId, provider, resourceId }: CandidateClaim): string {
    const expires = Math.ceil(this.#now() / WINDOW_MS) * WINDOW_MS + LIFETIME_MS;
    const payload = Buffer.from(JSON.stringify([teamId, provider, resourceId, expires])).toString(
      "base64url",
    );
    return `${CANDIDATE_PREFIX}${payload}.${this.#sign(payload).toString("base64url")}`;
  }

  /**
   * Id of the inventory row that the token names.
   *
   * @throws HostError `invalid_candidate_token` when it is forged, expired, or of another team or provider
   */
  redeem(token: string, team: { readonly teamId: string; readonly provider: string }): string {
    const [payload = "", signature = "", ...rest] = token.startsWith(CANDIDATE_PREFIX)
      ? token.slice(CANDIDATE_PREFIX.length).split(".")
      : [];
    const given = Buffer.from(signature, "base64url");
    const expected = this.#sign(payload);
    // The text is compared as well, because base64url decodes several texts to the same bytes.
    const genuine =
      rest.length === 0 &&
      given.length === expected.length &&
      timingSafeEqual(given, expected) &&
      signature === expected.toString("base64url");
    if (!genuine) throw invalidToken("The candidate token is not one of this control plane's");
    const [teamId, provider, resourceId, expires] = v.parse(
      Payload,
      parseJson(Buffer.from(payload, "base64url").toString("utf8")),
    );
    if (expires <= this.#now()) throw invalidToken("The candidate token has expired");
    if (teamId !== team.teamId) throw invalidToken("The candidate token was made for another team");
    if (provider !== team.provider)
      throw invalidToken(`The candidate token is for ${provider}, not ${team.provider}`);
    return resourceId;
  }

  #sign(payload: string): Buffer {
    return new Bun.CryptoHasher("sha256", this.#key).update(payload).digest();
  }
}

function invalidToken(problem: string): HostError {
  return new HostError(
    "invalid_candidate_token",
    `${problem}. Resolve again and confirm with the new token.`,
  );
}
