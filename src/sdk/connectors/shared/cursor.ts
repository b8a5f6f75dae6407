/** Cursors: the place in a listing as text that only the same listing accepts. */
import { Buffer } from "node:buffer";
import * as v from "valibot";
import { jsonText } from "../../../shared/json.ts";
import { ConnectorRequestError } from "../../errors.ts";
import { JsonValue } from "../../model.ts";

const Cursor = v.strictObject({ question: v.string(), place: JsonValue });

/** @param question Text that differs for every listing */
export function cursorText(question: string, place: JsonValue): string {
  return Buffer.from(JSON.stringify({ question, place })).toString("base64url");
}

/**
 * The place of a cursor; null without a cursor.
 *
 * @throws ConnectorRequestError (`invalid`) for a malformed cursor or one of another listing
 */
export function readCursor(provider: string, question: string, cursor: string | undefined): JsonValue {
  if (cursor === undefined) return null;
  const parsed = v.safeParse(jsonText(Cursor), Buffer.from(cursor, "base64url").toString());
  if (parsed.success && parsed.output.question === question) return parsed.output.place;
  throw foreignCursor(provider);
}

/** @throws ConnectorRequestError (`invalid`) when the place has another shape */
export function parsePlace<S extends v.GenericSchema>(
  provider: string,
  schema: S,
  place: JsonValue,
): v.InferOutput<S> {
  const parsed = v.safeParse(schema, place);
  if (parsed.success) return parsed.output;
  throw foreignCursor(provider);
}

export function foreignCursor(provider: string): ConnectorRequestError {
  return new ConnectorRequestError("The cursor does not belong to this listing.", {
    provider,
    failureClass: "invalid",
  });
}
