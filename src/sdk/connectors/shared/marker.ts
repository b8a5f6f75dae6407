/**
 * Idempotency keys for providers that know none: a mark at the end of a
 * Markdown text, in a comment that no reader is shown.
 */
import { createHash } from "node:crypto";

/** The empty line before the mark is the mark's; web editors turn its line ends into their own. */
const MARK = /(?:\r\n\r\n|\n\n|\r?\n)?<!-- tracker:([0-9a-f]{32}) -->\s*$/;

/** The mark of a key: keys may be any text, and a mark must not end a comment. */
export function markOf(idempotencyKey: string): string {
  return createHash("sha256").update(idempotencyKey).digest("hex").slice(0, 32);
}

/** The text with the mark of a key. */
export function withMark(text: string | null, mark: string): string {
  return `${text ? `${text}\n\n` : ""}<!-- tracker:${mark} -->`;
}

/** A text as it was before it was marked, and its mark; null when it has none. */
export function readMark(text: string): { readonly text: string; readonly mark: string | null } {
  const found = MARK.exec(text);
  return found === null ? { text, mark: null } : { text: text.slice(0, found.index), mark: found[1] ?? null };
}

/** A body as it was before it was marked; a mark alone stands for none. */
export function bodyWithoutMark(body: string | null): string | null {
  if (body === null) return null;
  const { text, mark } = readMark(body);
  return mark !== null && text === "" ? null : text;
}

/** The time by which a provider's clock may be behind the one that made a key, in milliseconds. */
const CLOCK_SLACK_MS = 24 * 60 * 60_000;

/**
 * The instant before which nothing can have been made under a key. Keys that
 * are UUIDs of version 7, or begin with one and a colon, tell when they were
 * made (RFC 9562, section 5.7).
 */
export function earliestUse(idempotencyKey: string): string | null {
  const found = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}(?::|$)/i.exec(
    idempotencyKey,
  );
  if (found === null) return null;
  return new Date(Number.parseInt(`${found[1]}${found[2]}`, 16) - CLOCK_SLACK_MS).toISOString();
}
