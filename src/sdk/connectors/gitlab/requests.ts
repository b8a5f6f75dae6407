/** Sending requests to GitLab's REST API, version 4, and reading what it answers. */
import { providerName } from "../../../shared/providers.ts";
import { ConnectorRequestError } from "../../errors.ts";
import {
  type Transport,
  TransportError,
  type TransportRequest,
  type TransportResponse,
} from "../../http/transport.ts";
import { secondsUntil } from "../shared/limits.ts";

export const GITLAB = "gitlab";

/** The most rows that a page can have: https://docs.gitlab.com/api/rest/#offset-based-pagination */
export const PAGE_SIZE = 100;

/** @throws TransportError; when it is rate limited, with the time to wait wherever GitLab tells one */
export async function send(transport: Transport, request: TransportRequest): Promise<TransportResponse> {
  try {
    return await transport.send(request);
  } catch (error) {
    throw error instanceof TransportError ? withWait(error) : error;
  }
}

/** Reports whether the provider has no such thing, or none that this credential may see. */
export function isNotFound(error: unknown): error is TransportError {
  return error instanceof TransportError && error.failureClass === "not_found";
}

/**
 * The number of the page after this one; null when this is the last. Where a
 * proxy has dropped the header only an empty page is certain to be the last:
 * GitLab takes notes out of a page that the credential may not see.
 */
export function nextPage({ headers }: TransportResponse, page: number, rows: number): number | null {
  const told = headers.get("x-next-page");
  if (told !== null) return /^\d+$/.test(told) ? Number(told) : null;
  return rows === 0 ? null : page + 1;
}

/**
 * GitLab carries out lines such as `/close` and takes them out of the text. It
 * takes out carriage returns and white space at the end as well, which nobody
 * misses. https://docs.gitlab.com/user/project/quick_actions/
 *
 * @throws ConnectorRequestError (`invalid`) when more than that is missing
 */
export function assertTextSaved(what: string, sent: string | null, kept: string | null): void {
  const [wanted, is] = [sent, kept].map((text) => (text ?? "").replaceAll("\r", "").trimEnd());
  if (wanted === is) return;
  throw invalid(
    `${providerName(GITLAB)} changed the ${what}: it treats lines that start with a slash as quick actions.`,
  );
}

export function invalid(message: string): ConnectorRequestError {
  return new ConnectorRequestError(message, { provider: GITLAB, failureClass: "invalid" });
}

/**
 * `Retry-After` is read by the transport; `RateLimit-Reset`, in seconds since
 * the epoch, stands in for it. Limits of single endpoints, such as the creation
 * of issues, come without either:
 * https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/#response-headers
 */
function withWait(error: TransportError): TransportError {
  const { response, failureClass } = error;
  if (failureClass !== "rate_limited" || response === null || error.retryAfterSeconds !== null) return error;
  const reset = response.headers.get("ratelimit-reset") ?? "";
  if (!/^\d+$/.test(reset)) return error;
  return error.reclassified({ retryAfterSeconds: secondsUntil(Number(reset) * 1000, response) });
}
