/** Requests to GitHub's REST API and the meaning of its refusals. */
import * as v from "valibot";
import { IssuePayloadContractError } from "../../errors.ts";
import { type Transport, TransportError, type TransportRequest } from "../../http/transport.ts";
import { parsePayload } from "../shared/arguments.ts";
import { secondsUntil } from "../shared/limits.ts";

export const GITHUB = "github";

/** GitHub's maximum: https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api */
const PAGE_SIZE = 100;

/** The wait for a limit without a time; also the shortest for a secondary limit. */
const MIN_WAIT_SECONDS = 60;

const HEADERS = {
  accept: "application/vnd.github+json",
  "x-github-api-version": "2022-11-28",
} as const;

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 307, 308]);

interface RestPage {
  readonly rows: readonly unknown[];
  /** The place of the next page; null on the last one. */
  readonly next: string | null;
}

export const FIRST_PAGE = "1";

type RestQuery = NonNullable<TransportRequest["query"]>;

export class GitHubRest {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** @throws TransportError, with rate limits distinguished from missing permissions */
  async send(request: TransportRequest): Promise<unknown> {
    return (await this.#exchange(request)).body;
  }

  /**
   * One page of a list.
   *
   * @param place {@link FIRST_PAGE}, or `next` of the page before
   * @param name The listed items; the path in a contract error starts with it
   * @param rowsOf Finds the rows in an answer that is no array
   */
  async page(
    path: string,
    query: RestQuery,
    place: string,
    name: string,
    rowsOf: (body: unknown) => unknown = (body) => body,
  ): Promise<RestPage> {
    const { body, headers } = await this.#exchange({
      method: "GET",
      path,
      query: { ...query, per_page: PAGE_SIZE, [isNumber(place) ? "page" : "after"]: place },
    });
    const rows = parsePayload(GITHUB, v.array(v.unknown()), rowsOf(body), name);
    return { rows, next: rows.length === 0 ? null : nextPlace(headers.get("link"), place, rows.length) };
  }

  /** The pages of a list, as far as the caller reads. */
  async *pages(
    path: string,
    query: RestQuery,
    name: string,
    rowsOf?: (body: unknown) => unknown,
  ): AsyncGenerator<readonly unknown[]> {
    for (let place: string | null = FIRST_PAGE; place !== null; ) {
      const { rows, next }: RestPage = await this.page(path, query, place, name, rowsOf);
      yield rows;
      place = next;
    }
  }

  async #exchange(request: TransportRequest) {
    try {
      return await this.#transport.send({ ...request, headers: HEADERS });
    } catch (error) {
      throw error instanceof TransportError ? classified(error) : error;
    }
  }
}

function isNumber(place: string): boolean {
  return /^\d+$/.test(place);
}

/**
 * The place after `place`: a cursor where the answer has one, because since 2025 GitHub numbers only the
 * first pages of long issue lists, undocumented (https://github.com/google/go-github/issues/3565); otherwise
 * a number. The header is missing on a single page and behind a proxy that drops it.
 * https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api#using-link-headers
 */
function nextPlace(link: string | null, place: string, rows: number): string | null {
  const following = isNumber(place) ? String(Number(place) + 1) : null;
  if (link === null) return rows < PAGE_SIZE ? null : following;
  const address = /<([^>]*)>; rel="next"/.exec(link)?.[1];
  if (address === undefined) return null;
  const after = URL.canParse(address) ? new URL(address).searchParams.get("after") : null;
  if (after !== place) return after ?? following;
  throw new IssuePayloadContractError(GITHUB, "link", "points to the same page again");
}

/** Reports whether the requested address has nothing (any more): 404, 410, or a redirect. */
export function isGone(error: unknown): error is TransportError {
  return error instanceof TransportError && (error.failureClass === "not_found" || isRedirectError(error));
}

/** Reports whether the requested thing has moved. */
export function isRedirectError({ response }: TransportError): boolean {
  return response !== null && REDIRECTS.has(response.status);
}

/** The error with GitHub's documented meaning. */
function classified(error: TransportError): TransportError {
  const wait = limitSeconds(error);
  if (wait !== null) return error.reclassified({ failureClass: "rate_limited", retryAfterSeconds: wait });
  const details = detailsOf(error.response?.body);
  if (details === "") return error;
  return error.reclassified({ message: `${error.message.replace(/\.$/, "")} (${details}).` });
}

/**
 * The wait of a rate limit, in seconds; null for another failure. A primary limit has an end; a secondary one
 * is a 403 or 429 that may carry only a sentence:
 * https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
 */
function limitSeconds({ response, message, retryAfterSeconds }: TransportError): number | null {
  if (response === null || (response.status !== 403 && response.status !== 429)) return null;
  const { status, headers } = response;
  if (headers.get("x-ratelimit-remaining") === "0") {
    const reset = Number(headers.get("x-ratelimit-reset") ?? Number.NaN);
    const untilReset = Number.isFinite(reset) ? secondsUntil(reset * 1000, response) : MIN_WAIT_SECONDS;
    return Math.max(1, untilReset, retryAfterSeconds ?? 0);
  }
  const isLimit = status === 429 || retryAfterSeconds !== null || /rate limit|abuse detection/i.test(message);
  return isLimit ? Math.max(MIN_WAIT_SECONDS, retryAfterSeconds ?? 0) : null;
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

/** The reasons of a refusal, such as `assignees: invalid`, without long words, which may be a credential. */
function detailsOf(body: unknown): string {
  const parsed = v.safeParse(Details, body);
  if (!parsed.success) return "";
  const reasons = parsed.output.errors.map((error) =>
    typeof error === "string"
      ? error
      : [error.field, error.code, error.message].filter((part) => typeof part === "string").join(": "),
  );
  return reasons
    .join("; ")
    .replace(/\S{30,}/g, "***")
    .slice(0, 300);
}
