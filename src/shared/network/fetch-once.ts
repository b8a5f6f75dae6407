import type { Fetch } from "../network.ts";

/** The bounds of one request. */
export interface Limits {
  /** From the first byte sent to the last byte read, in ms. */
  readonly requestMs: number;
  /** Size of an answer's body after decompression, in bytes. */
  readonly bodyBytes: number;
}

export const DEFAULT_LIMITS: Limits = { requestMs: 30_000, bodyBytes: 10 * 1024 * 1024 };

/** A request that has not been sent. */
export interface Outgoing {
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers | Readonly<Record<string, string>>;
  readonly body: string | URLSearchParams | null;
}

/** An answer, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** The reasons why there is no answer; `processed` is `no` where the request certainly was not carried out. */
const REASONS = {
  timeout: { message: "the answer took too long", processed: "maybe" },
  too_large: { message: "the answer is too large", processed: "maybe" },
  refused: { message: "the connection was refused", processed: "no" },
  untrusted: { message: "its certificate cannot be trusted", processed: "no" },
  unresolved: { message: "its name cannot be resolved", processed: "no" },
  broken: { message: "the connection broke", processed: "maybe" },
} as const;

/** A request that got no whole answer. The message is a clause: "the connection was refused". */
export class NoAnswerError extends Error {
  override readonly name = "NoAnswerError";
  readonly reason: keyof typeof REASONS;
  readonly processed: "no" | "maybe";

  constructor(reason: keyof typeof REASONS, cause?: unknown) {
    const { message, processed } = REASONS[reason];
    super(message, cause === undefined ? undefined : { cause });
    this.reason = reason;
    this.processed = processed;
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
    return { status, headers, text: await readText(response, limits.bodyBytes) };
  } catch (error) {
    throw error instanceof NoAnswerError ? error : new NoAnswerError(reasonOf(error), error);
  }
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** The status asks for the request to be sent elsewhere. */
export function isRedirect(status: number): boolean {
  return REDIRECTS.has(status);
}

/** @throws NoAnswerError when the body has more than `limit` bytes; the rest is not read */
async function readText({ body }: Response, limit: number): Promise<string> {
  if (body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > limit) throw new NoAnswerError("too_large");
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function reasonOf(error: unknown): NoAnswerError["reason"] {
  const names = namesOf(error);
  if (/TimeoutError/.test(names)) return "timeout";
  if (/ECONNREFUSED|ConnectionRefused/.test(names)) return "refused";
  if (/CERT|SSL|TLS/i.test(names)) return "untrusted";
  return /ENOTFOUND|DNS/i.test(names) ? "unresolved" : "broken";
}

/** The names and codes along a chain of causes. */
function namesOf(error: unknown): string {
  const names: string[] = [];
  for (let at = error; at instanceof Error && names.length < 8; at = at.cause) {
    names.push(`${at.name} ${"code" in at ? String(at.code) : ""}`);
  }
  return names.join("\n");
}
