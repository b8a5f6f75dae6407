/** Requests to GitHub's REST API, and what its refusals mean. */
import * as v from "valibot";
import { type Transport, TransportError, type TransportRequest } from "../../transport.ts";
import { parsePayload } from "../shared/arguments.ts";

export const GITHUB = "github";

/** Rows per page, which is as many as GitHub gives. https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api */
export const PAGE_ROWS = 100;

/** How long a limit without a time is respected, in seconds; also the least for a secondary limit. */
const LEAST_WAIT = 60;

const HEADERS = {
  accept: "application/vnd.github+json",
  "x-github-api-version": "2022-11-28",
} as const;

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 307, 308]);

/** One page of a list. */
export interface RestPage {
  readonly rows: readonly unknown[];
  readonly hasNext: boolean;
}

/** What a list is asked for. */
export type RestQuery = NonNullable<TransportRequest["query"]>;

/** GitHub's REST API, through a transport. */
export class GitHubRest {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * The body of the answer.
   *
   * @throws TransportError, with rate limits told from missing permissions
   */
  async send(request: TransportRequest): Promise<unknown> {
    return (await this.#exchange(request)).body;
  }

  /**
   * One page of a list.
   *
   * @param page Counted from 1
   * @param name What is listed; the path in a contract error starts with it
   * @param rowsOf Finds the rows in an answer that is no array itself
   */
  async page(
    path: string,
    query: RestQuery,
    page: number,
    name: string,
    rowsOf: (body: unknown) => unknown = (body) => body,
  ): Promise<RestPage> {
    const { body, headers } = await this.#exchange({
      method: "GET",
      path,
      query: { ...query, per_page: PAGE_ROWS, page },
    });
    const rows = parsePayload(GITHUB, v.array(v.unknown()), rowsOf(body), name);
    const link = headers.get("link");
    // There is no header when everything fits on one page, and none behind a proxy that drops it.
    const isMoreTold = link === null ? rows.length >= PAGE_ROWS : /rel="next"/.test(link);
    return { rows, hasNext: isMoreTold && rows.length > 0 };
  }

  /** The pages of a list, one after the other, until nobody wants more. */
  async *pages(
    path: string,
    query: RestQuery,
    name: string,
    rowsOf?: (body: unknown) => unknown,
  ): AsyncGenerator<readonly unknown[]> {
    for (let number = 1; ; number += 1) {
      const { rows, hasNext } = await this.page(path, query, number, name, rowsOf);
      yield rows;
      if (!hasNext) return;
    }
  }

  async #exchange(request: TransportRequest) {
    try {
      return await this.#transport.send({ ...request, headers: HEADERS });
    } catch (error) {
      throw error instanceof TransportError ? explained(error) : error;
    }
  }
}

/** Whether GitHub says that there is nothing (any more) where it was asked: 404, 410, or it is elsewhere now. */
export function isGone(error: unknown): error is TransportError {
  return error instanceof TransportError && (error.failureClass === "not_found" || isRedirect(error));
}

/** Whether what was asked for has another address now. */
export function isRedirect({ response }: TransportError): boolean {
  return response !== null && REDIRECTS.has(response.status);
}

/** The error in the words that GitHub's documentation has for it. */
function explained(error: TransportError): TransportError {
  const wait = limitSeconds(error);
  if (wait !== null) return retold(error, error.message, "rate_limited", wait);
  const details = detailsOf(error.response?.body);
  return details === "" ? error : retold(error, `${error.message.replace(/\.$/, "")} (${details}).`);
}

/**
 * How long to leave GitHub alone, in seconds; null when this is no rate limit.
 * A primary limit says when it ends. A secondary one is an answer of 403 or
 * 429 that may carry nothing but a sentence.
 * https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
 */
function limitSeconds({ response, message, retryAfterSeconds }: TransportError): number | null {
  if (response === null || (response.status !== 403 && response.status !== 429)) return null;
  const { status, headers } = response;
  if (headers.get("x-ratelimit-remaining") === "0") {
    const reset = Number(headers.get("x-ratelimit-reset") ?? Number.NaN);
    const now = Date.parse(headers.get("date") ?? "") || Date.now();
    const untilReset = Number.isFinite(reset) ? Math.ceil(reset - now / 1000) : LEAST_WAIT;
    return Math.max(1, untilReset, retryAfterSeconds ?? 0);
  }
  const isLimit = status === 429 || retryAfterSeconds !== null || /rate limit|abuse detection/i.test(message);
  return isLimit ? Math.max(LEAST_WAIT, retryAfterSeconds ?? 0) : null;
}

const Details = v.object({
  errors: v.array(
    v.union([
      v.string(),
      v.object({
        field: v.nullish(v.string()),
        code: v.nullish(v.string()),
        message: v.nullish(v.string()),
      }),
    ]),
  ),
});

/** What a refused request is refused for, such as `assignees: invalid`. Long words are left out: one may be a credential. */
function detailsOf(body: unknown): string {
  const parsed = v.safeParse(Details, body);
  if (!parsed.success) return "";
  const told = parsed.output.errors.map((error) =>
    typeof error === "string"
      ? error
      : [error.field, error.code, error.message].filter((part) => typeof part === "string").join(": "),
  );
  return told
    .join("; ")
    .replace(/\S{30,}/g, "***")
    .slice(0, 300);
}

function retold(
  error: TransportError,
  message: string,
  failureClass = error.failureClass,
  retryAfterSeconds = error.retryAfterSeconds,
): TransportError {
  const { provider, processed, response } = error;
  return new TransportError(message, {
    provider,
    failureClass,
    retryAfterSeconds,
    processed,
    ...(response !== null && { response }),
    cause: error,
  });
}
