/** Idempotency keys for providers without them: a mark in an invisible comment at the end of a Markdown text. */
import { createHash } from "node:crypto";

/** The empty line before the mark belongs to it; web editors change its line ends. */
const MARK = /(?:\r\n\r\n|\n\n|\r?\n)?<!-- tracker:([0-9a-f]{32}) -->\s*$/;

/** The mark of a key. Keys are hashed, because they may be any text and a mark must not end the comment. */
export function markOf(idempotencyKey: string): string {
  return createHash("sha256").update(idempotencyKey).digest("hex").slice(0, 32);
}

export function withMark(text: string | null, mark: string): string {
  return `${text ? `${text}\n\n` : ""}<!-- tracker:${mark} -->`;
}

export function readMark(text: string): { readonly text: string; readonly mark: string | null } {
  const found = MARK.exec(text);
  return found === null ? { text, mark: null } : { text: text.slice(0, found.index), mark: found[1] ?? null };
}

/** A body without its mark; null when nothing else is in it. */
export function bodyWithoutMark(body: string | null): string | null {
  if (body === null) return null;
  const { text, mark } = readMark(body);
  return mark !== null && text === "" ? null : text;
}

/** Allowed difference between a provider's clock and the one that made a key. */
const CLOCK_SLACK_MS = 24 * 60 * 60_000;

/** Keys that are UUIDs of version 7, or begin with one and a colon, carry their time (RFC 9562, section 5.7). */
export function earliestUse(idempotencyKey: string): string | null {
  const found = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}(?::|$)/i.exec(
    idempotencyKey,
  );
  if (found === null) return null;
  return new Date(Number.parseInt(`${found[1]}${found[2]}`, 16) - CLOCK_SLACK_MS).toISOString();
}
