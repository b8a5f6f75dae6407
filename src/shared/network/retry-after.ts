/**
 * The whole seconds that a `Retry-After` header asks to wait; null without a
 * usable one. The header holds seconds or a date.
 *
 * @param now Epoch in ms
 */
export function retryAfterSeconds(headers: Headers, now: number): number | null {
  const text = headers.get("retry-after")?.trim() ?? "";
  if (/^\d+$/.test(text)) return Number(text);
  const date = /^[a-z]{3}/i.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? null : Math.max(0, Math.ceil((date - now) / 1_000));
}
