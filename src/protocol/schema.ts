import * as v from "valibot";

export const text = v.string();
export const filled = v.pipe(v.string(), v.nonEmpty("must not be empty"));
/** A value that may be null or missing; null in the parsed object either way. */
export const nullable = <S extends v.GenericSchema>(schema: S) => v.nullish(schema, null);
export const nullableText = nullable(text);
/** An answer that keeps all its fields, also those outside the contract. */
export const openObject = <E extends v.ObjectEntries>(entries: E) =>
  v.pipe(
    v.custom<Record<string, unknown>>(
      (value) => typeof value === "object" && value !== null && !Array.isArray(value),
      "must be an object",
    ),
    v.looseObject(entries),
  );
/** ISO 8601 in UTC. */
export const instant = v.string();
export const natural = v.pipe(v.number(), v.integer(), v.minValue(0));
