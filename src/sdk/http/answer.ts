import { parseJson } from "../../shared/json.ts";
import type { FailureClass } from "../errors.ts";
import type { TransportResponse } from "./transport.ts";

/** The failure class of an HTTP status; connectors refine it for their provider. */
export function httpFailureClass({ status, headers }: TransportResponse): FailureClass {
  const isLimited = headers.has("retry-after") || headers.get("x-ratelimit-remaining") === "0";
  switch (status) {
    case 401:
      return "auth";
    case 403:
      return isLimited ? "rate_limited" : "permission";
    case 404:
    case 410:
      return "not_found";
    case 409:
    case 412:
      return "conflict";
    case 429:
      return "rate_limited";
    case 408:
    case 425:
      return "transient";
    default:
      return status >= 500 ? "transient" : "invalid";
  }
}

/** The provider's explanation as the end of a sentence: the first text in one of the usual places. */
export function refusalText(body: unknown): string {
  const [error, message] = [memberOf(body, "error"), memberOf(body, "message")];
  const places = [
    message,
    memberOf(message, "error"),
    memberOf(error, "message"),
    error,
    firstOf(memberOf(body, "errorMessages")),
    memberOf(firstOf(memberOf(body, "errors")), "message"),
    ...problemsByField(message),
  ];
  const found = places.find((place) => typeof place === "string" && place.trim() !== "");
  return typeof found === "string" ? `: ${found.trim().replace(/\s+/g, " ").slice(0, 300)}` : ".";
}

/** `{ title: ["is too long"] }` as `title is too long`. */
function problemsByField(fields: unknown): readonly string[] {
  if (typeof fields !== "object" || fields === null) return [];
  return Object.entries(fields).flatMap(([field, problems]) => {
    const first = firstOf(problems);
    return typeof first === "string" ? [`${field} ${first}`] : [];
  });
}

export function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null
    ? Object.getOwnPropertyDescriptor(value, name)?.value
    : undefined;
}

function firstOf(value: unknown): unknown {
  return Array.isArray(value) ? value[0] : undefined;
}

interface ParsedBody {
  /** `broken` is text that was declared as JSON. */
  readonly kind: "json" | "text" | "broken";
  /** The JSON value, null for an empty body; otherwise the text. */
  readonly body: unknown;
}

/** Parses a body by its declared type, which a proxy may have dropped. */
export function parseBody(type: string | null, text: string): ParsedBody {
  if (text === "") return { kind: "json", body: null };
  const isDeclared = isMeaningful(type);
  if (isDeclared && !/[/+]json\b/i.test(type)) return { kind: "text", body: text };
  try {
    return { kind: "json", body: parseJson(text) };
  } catch {
    return { kind: isDeclared ? "broken" : "text", body: text };
  }
}

/** A proxy that drops the type declares `octet-stream`. */
function isMeaningful(type: string | null): type is string {
  return type !== null && !/^application\/octet-stream\b/i.test(type);
}

/** The media type, safe to show; null without a meaningful one. */
export function typeNameOf(type: string | null): string | null {
  return isMeaningful(type) ? (/^[\w.+-]{1,50}\/[\w.+-]{1,50}/.exec(type.trim())?.[0] ?? null) : null;
}
