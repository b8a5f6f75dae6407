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

/** GitLab's maximum: https://docs.gitlab.com/api/rest/#offset-based-pagination */
export const PAGE_SIZE = 100;

/** @throws TransportError, with the wait of a rate limit wherever GitLab names one */
export async function send(transport: Transport, request: TransportRequest): Promise<TransportResponse> {
  try {
    return await transport.send(request);
  } catch (error) {
    throw error instanceof TransportError ? withWait(error) : error;
  }
}

export function isNotFound(error: unknown): error is TransportError {
  return error instanceof TransportError && error.failureClass === "not_found";
}

/** Null on the last page. Without the header, only an empty page is the last: GitLab omits invisible notes. */
export function nextPage({ headers }: TransportResponse, page: number, rows: number): number | null {
  const nextHeader = headers.get("x-next-page");
  if (nextHeader !== null) return /^\d+$/.test(nextHeader) ? Number(nextHeader) : null;
  return rows === 0 ? null : page + 1;
}

/**
 * GitLab executes lines such as `/close` and removes them from the text; it also trims carriage returns and
 * trailing space. https://docs.gitlab.com/user/project/quick_actions/
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
 * Uses `RateLimit-Reset`, in seconds since the epoch, where `Retry-After` is missing. Limits of single
 * endpoints, such as creating issues, have neither:
 * https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/#response-headers
 */
function withWait(error: TransportError): TransportError {
  const { response, failureClass } = error;
  if (failureClass !== "rate_limited" || response === null || error.retryAfterSeconds !== null) return error;
  const reset = response.headers.get("ratelimit-reset") ?? "";
  if (!/^\d+$/.test(reset)) return error;
  return error.reclassified({ retryAfterSeconds: secondsUntil(Number(reset) * 1000, response) });
}
