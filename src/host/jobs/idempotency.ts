import * as v from "valibot";
import { parseJson } from "../../shared/json.ts";
import type { TeamScope } from "../access/team-scope.ts";
import { HostError } from "../errors.ts";

/** The retention of first answers, in milliseconds. */
const ANSWER_RETENTION_MS = 24 * 60 * 60_000;

interface OnceOptions<S extends v.GenericSchema> {
  /** The `Idempotency-Key` header; null runs the work without a record. */
  readonly key: string | null;
  readonly route: string;
  readonly body: unknown;
  readonly answer: S;
}

/**
 * Runs `work` and stores its answer under the key in one write transaction. A crash therefore leaves both effect and
 * answer or neither, and a second call with the same key waits for the first and replays its answer. Failures are not
 * stored.
 *
 * @throws HostError `idempotency_mismatch` when the key was used for another request
 */
export function once<S extends v.GenericSchema>(
  scope: TeamScope,
  { key, route, body, answer }: OnceOptions<S>,
  work: (scope: TeamScope) => Promise<v.InferOutput<S>>,
): Promise<v.InferOutput<S>> {
  if (key === null) return scope.transaction(work);
  const fingerprint = fingerprintOf([route, body]);
  return scope.transaction(async (transaction) => {
    const oldest = new Date(transaction.now() - ANSWER_RETENTION_MS).toISOString();
    await transaction.deleteIdempotency().where("created_at", "<=", oldest).execute();
    const first = await transaction
      .idempotency()
      .select(["fingerprint", "answer"])
      .where("key", "=", key)
      .executeTakeFirst();
    if (first !== undefined) {
      if (first.fingerprint === fingerprint) return v.parse(answer, parseJson(first.answer));
      throw keyReused();
    }
    const result = await work(transaction);
    await transaction
      .insertIdempotency({
        key,
        fingerprint,
        answer: JSON.stringify(result),
        created_at: transaction.timestamp(),
      })
      .execute();
    return result;
  });
}

/** Distinguishes requests with the same key: SHA-256 of their parts, hexadecimal. */
export function fingerprintOf(parts: readonly unknown[]): string {
  return new Bun.CryptoHasher("sha256").update(JSON.stringify(parts)).digest("hex");
}

export function keyReused(): HostError {
  return new HostError(
    "idempotency_mismatch",
    "This Idempotency-Key was used for another request. Use a new key for a new request.",
  );
}
