import type { Fetch } from "../network.ts";
import { type NetworkFailure, networkFailureOf, TOO_LARGE } from "./failure.ts";

export interface Limits {
  /** From the first byte sent to the last byte read, in ms. */
  readonly requestMs: number;
  /** Size of an answer's body after decompression, in bytes. */
  readonly bodyBytes: number;
}

export const DEFAULT_LIMITS: Limits = { requestMs: 30_000, bodyBytes: 10 * 1024 * 1024 };

export interface Outgoing {
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers | Readonly<Record<string, string>>;
  readonly body: string | URLSearchParams | null;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** A request that got no whole answer. The message is a clause: "the connection was refused". */
export class NoAnswerError extends Error {
  override readonly name = "NoAnswerError";
  readonly reason: NetworkFailure["reason"];
  readonly processed: NetworkFailure["processed"];
  readonly remedy: NetworkFailure["remedy"];
  /** The runtime's code, such as `ECONNREFUSED`; null where it has none. */
  readonly code: string | null;

  constructor({ message, reason, processed, remedy }: NetworkFailure, code: string | null, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.reason = reason;
    this.processed = processed;
    this.remedy = remedy;
    this.code = code;
  }
}

/**
 * Sends a request once and reads its answer, whatever the status. Redirects are
 * answers too: see {@link isRedirect}.
 *
 * @throws NoAnswerError when no whole answer comes within the limits
 */
export async function fetchOnce(
  fetch: Fetch,
  { url, ...request }: Outgoing,
  limits: Limits,
): Promise<Answer> {
  try {
    const signal = AbortSignal.timeout(limits.requestMs);
    const response = await fetch(new Request(url.href, { ...request, redirect: "manual", signal }));
    const { status, headers } = response;
    return { status, headers, text: await readBody(response, limits.bodyBytes) };
  } catch (error) {
    if (error instanceof NoAnswerError) throw error;
    const { failure, code } = networkFailureOf(error);
    throw new NoAnswerError(failure, code, error);
  }
}

const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** The status asks for the request to be sent elsewhere. */
export function isRedirect(status: number): boolean {
  return REDIRECT_STATUSES.has(status);
}

/** @throws NoAnswerError when the body has more than `limit` bytes; the rest is not read */
async function readBody({ body }: Response, limit: number): Promise<string> {
  if (body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > limit) throw new NoAnswerError(TOO_LARGE, null);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
