/** Connections as Linear has them: filtered, latest first, paged by opaque cursors in both directions. */
import { Buffer } from "node:buffer";
import { inputError } from "./errors.ts";

/** What every connection takes. */
export interface PageArguments {
  readonly first?: number | null;
  readonly after?: string | null;
  readonly last?: number | null;
  readonly before?: string | null;
  readonly orderBy?: "createdAt" | "updatedAt" | null;
  readonly includeArchived?: boolean | null;
  readonly sort?: unknown;
}

/** What can be in a connection. */
interface Row {
  readonly id: string;
  readonly createdAt?: string;
  readonly updatedAt?: string;
  readonly archivedAt?: string | null;
  readonly sequence?: number;
}

export interface Connection<T> {
  readonly nodes: readonly T[];
  readonly pageInfo: {
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
    readonly startCursor: string | null;
    readonly endCursor: string | null;
  };
}

/** The page of `rows` that is asked for; `show` makes its nodes. */
export function connectionOf<R extends Row, T>(
  rows: readonly R[],
  asked: PageArguments,
  show: (row: R) => T,
): Connection<T> {
  const { first, after, last, before, orderBy, includeArchived = false, sort } = asked;
  if (sort) throw inputError("sort is internal", "Sorting is not supported here.");
  if (first && last) throw inputError("Argument Validation Error", "first and last exclude each other.");
  const size = last ?? first ?? 50;
  if (size < 1 || size > 250) {
    throw inputError("Argument Validation Error", "first and last must be between 1 and 250.");
  }
  const place = (row: R): Place => {
    const instant = orderBy === "updatedAt" ? row.updatedAt : row.createdAt;
    return [instant ?? "", row.sequence ?? rows.indexOf(row)];
  };
  const ordered = rows
    .filter(({ archivedAt }) => includeArchived === true || (archivedAt ?? null) === null)
    .map((row) => ({ row, at: place(row) }))
    .sort((a, b) => compare(b.at, a.at));
  const from = after ? readCursor(after) : null;
  const to = before ? readCursor(before) : null;
  const within = ordered.filter(
    ({ at }) => (from === null || compare(at, from) < 0) && (to === null || compare(at, to) > 0),
  );
  const page = last ? within.slice(-size) : within.slice(0, size);
  const [start, end] = [page[0], page.at(-1)];
  const isBefore = (at: Place) => start !== undefined && compare(at, start.at) > 0;
  const isAfter = (at: Place) => end !== undefined && compare(at, end.at) < 0;
  return {
    nodes: page.map(({ row }) => show(row)),
    pageInfo: {
      hasPreviousPage: ordered.some(({ at }) => isBefore(at)),
      hasNextPage: ordered.some(({ at }) => isAfter(at)),
      startCursor: start === undefined ? null : writeCursor(start.at),
      endCursor: end === undefined ? null : writeCursor(end.at),
    },
  };
}

/** Instant and sequence. */
type Place = readonly [string, number];

function compare(one: Place, other: Place): number {
  if (one[0] !== other[0]) return one[0] < other[0] ? -1 : 1;
  return one[1] - other[1];
}

function writeCursor(place: Place): string {
  return Buffer.from(place.join(" ")).toString("base64url");
}

function readCursor(cursor: string): Place {
  const [instant, sequence] = Buffer.from(cursor, "base64url").toString().split(" ");
  const number = Number(sequence ?? Number.NaN);
  if (instant === undefined || Number.isNaN(number)) {
    throw inputError("Argument Validation Error", "The cursor is not valid.");
  }
  return [instant, number];
}

/** A filter as it comes in: comparators by field, `and` and `or` among them. */
export type Filter = { readonly [name: string]: unknown };

/** Whether an entity, with its fields as functions or values, passes a filter. */
export function passes(entity: Filter, filter: Filter | null | undefined): boolean {
  return Object.entries(filter ?? {}).every(([name, wanted]) => {
    if (wanted === null || wanted === undefined) return true;
    if (name === "and") return list(wanted).every((one) => passes(entity, one));
    if (name === "or") return list(wanted).length === 0 || list(wanted).some((one) => passes(entity, one));
    if (!isRecord(wanted)) return true;
    const value = entity[name];
    if (!isRecord(value) && value !== null) return compares(value, wanted);
    if ("null" in wanted && wanted.null !== null && wanted.null !== (value === null)) return false;
    const { null: _, ...rest } = wanted;
    if (Object.keys(rest).length === 0) return true;
    return isRecord(value) && passes(value, rest);
  });
}

function compares(value: unknown, comparator: Filter): boolean {
  const text = String(value);
  return Object.entries(comparator).every(([name, wanted]) => {
    switch (name) {
      case "eq":
        return text === String(wanted);
      case "in":
        return Array.isArray(wanted) && wanted.map(String).includes(text);
      case "eqIgnoreCase":
        return text.toLowerCase() === String(wanted).toLowerCase();
      case "containsIgnoreCase":
        return text.toLowerCase().includes(String(wanted).toLowerCase());
      case "gt":
        return text > instant(wanted);
      case "gte":
        return text >= instant(wanted);
      case "lt":
        return text < instant(wanted);
      case "lte":
        return text <= instant(wanted);
      case "null":
        return wanted !== true;
      default:
        return true;
    }
  });
}

function instant(value: unknown): string {
  const time = Date.parse(String(value));
  if (Number.isNaN(time)) throw inputError("Argument Validation Error", `${String(value)} is not a date.`);
  return new Date(time).toISOString();
}

function list(value: unknown): readonly Filter[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

function isRecord(value: unknown): value is Filter {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
