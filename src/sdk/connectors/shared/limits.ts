import type { TransportResponse } from "../../http/transport.ts";

/**
 * Seconds from an answer to an instant, by the answer's own clock where it has one, because this machine's
 * may be wrong. 0 for a past instant.
 *
 * @param instant Epoch in ms
 */
export function secondsUntil(instant: number, { headers }: TransportResponse): number {
  const answeredAt = Date.parse(headers.get("date") ?? "");
  const now = Number.isNaN(answeredAt) ? Date.now() : answeredAt;
  return Math.max(0, Math.ceil((instant - now) / 1000));
}
