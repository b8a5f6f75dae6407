/** The wait that a provider's rate limit asks for. */
import type { TransportResponse } from "../../http/transport.ts";

/**
 * Seconds from an answer to an instant, by the clock of whoever answered where
 * the answer tells it: this machine's may be wrong. None for an instant that has passed.
 *
 * @param instant Epoch in ms
 */
export function secondsUntil(instant: number, { headers }: TransportResponse): number {
  const answeredAt = Date.parse(headers.get("date") ?? "");
  const now = Number.isNaN(answeredAt) ? Date.now() : answeredAt;
  return Math.max(0, Math.ceil((instant - now) / 1000));
}
