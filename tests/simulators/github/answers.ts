/** Answers in GitHub's manner, and how it reads what it is sent. */
import * as v from "valibot";
import type { SimulatedAnswer, SimulatedRequest } from "../server.ts";

const DOCUMENTATION = "https://docs.github.com/rest";

/** An answer that ends the work on a request. */
export class Refusal extends Error {
  readonly answer: SimulatedAnswer;

  constructor(status: number, message: string, more: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.answer = {
      status,
      body: { message, documentation_url: DOCUMENTATION, status: String(status), ...more },
    };
  }
}

export function ok(body: unknown): SimulatedAnswer {
  return { status: 200, body };
}

export function created(body: unknown): SimulatedAnswer {
  return { status: 201, body };
}

export function notFound(): Refusal {
  return new Refusal(404, "Not Found");
}

/** https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#validation-failed */
export function invalid(field: string, code: string, value?: unknown): Refusal {
  const error = { resource: "Issue", field, code, ...(value !== undefined && { value }) };
  return new Refusal(422, "Validation Failed", { errors: [error] });
}

/** The body, as the endpoint takes it; of the wrong shape it is refused. */
export function bodyOf<S extends v.GenericSchema>(schema: S, { body }: SimulatedRequest): v.InferOutput<S> {
  const parsed = v.safeParse(schema, body, { abortEarly: true });
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new Refusal(422, `Invalid request.\n\nFor 'properties/${v.getDotPath(issue)}', ${issue.message}`);
}

/** A query parameter out of a few; the first is the default. */
export function choiceOf<const T extends string>(
  request: SimulatedRequest,
  name: string,
  choices: readonly [T, ...T[]],
): T {
  const value = request.query.get(name) ?? choices[0];
  const chosen = choices.find((choice) => choice === value);
  if (chosen === undefined) throw invalid(name, "invalid", value);
  return chosen;
}

/** Epoch in ms of a query parameter; null without it. */
export function instantOf(request: SimulatedRequest, name: string): number | null {
  const text = request.query.get(name);
  if (text === null) return null;
  const instant = Date.parse(text);
  if (Number.isNaN(instant)) throw invalid(name, "invalid", text);
  return instant;
}

/** One page of rows with its `Link` header, which is left out where everything fits on one page. */
export function paged<T>(
  request: SimulatedRequest,
  address: string,
  rows: readonly T[],
  render: (rows: readonly T[]) => unknown,
): SimulatedAnswer {
  const perPage = Math.min(100, positive(request, "per_page") ?? 30);
  const page = positive(request, "page") ?? 1;
  const last = Math.max(1, Math.ceil(rows.length / perPage));
  const link = (to: number, rel: string) => {
    const query = new URLSearchParams(request.query);
    query.set("page", String(to));
    return `<${address}?${query}>; rel="${rel}"`;
  };
  const links = [
    ...(page > 1 ? [link(page - 1, "prev"), link(1, "first")] : []),
    ...(page < last ? [link(page + 1, "next"), link(last, "last")] : []),
  ];
  return {
    status: 200,
    headers: links.length === 0 ? {} : { link: links.join(", ") },
    body: render(rows.slice((page - 1) * perPage, page * perPage)),
  };
}

/** Since 2025 numbered pages of issues end somewhere: GitHub does not say where, people have met it from here on. */
const MOST_NUMBERED = 1000;

/**
 * One page of a list that may be long: the link to the next page has a cursor,
 * and without it pages behind the first thousand rows are refused.
 */
export function pagedByCursor<T>(
  request: SimulatedRequest,
  address: string,
  rows: readonly T[],
  render: (rows: readonly T[]) => unknown,
): SimulatedAnswer {
  const after = request.query.get("after");
  const perPage = Math.min(100, positive(request, "per_page") ?? 30);
  const start = after === null ? ((positive(request, "page") ?? 1) - 1) * perPage : startOf(after);
  const end = start + perPage;
  if (after === null && end > MOST_NUMBERED) {
    throw new Refusal(
      422,
      "Pagination with the page parameter is not supported for large datasets, please use cursor based pagination (after/before)",
    );
  }
  const query = new URLSearchParams(request.query);
  query.set("page", String(end / perPage + 1));
  query.set("after", Buffer.from(`cursor:${end}`).toString("base64url"));
  return {
    status: 200,
    headers: end < rows.length ? { link: `<${address}?${query}>; rel="next"` } : {},
    body: render(rows.slice(start, end)),
  };
}

function startOf(cursor: string): number {
  const found = /^cursor:(\d+)$/.exec(Buffer.from(cursor, "base64url").toString());
  if (found === null) throw invalid("after", "invalid", cursor);
  return Number(found[1]);
}

function positive(request: SimulatedRequest, name: string): number | null {
  const value = Number(request.query.get(name) ?? Number.NaN);
  return Number.isInteger(value) && value > 0 ? value : null;
}
