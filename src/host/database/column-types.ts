import type { ColumnType } from "kysely";

/** ISO 8601 in UTC, so that text order is time order. */
export type Instant = string;
/** A JSON object as text, which every database supports. */
export type JsonText = string;
/** Set when the row is written and never after. */
export type Fixed<T> = ColumnType<T, T, never>;
