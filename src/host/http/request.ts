import type * as v from "valibot";
import { type Call, NoFields } from "../../protocol.ts";
import { parseJson } from "../../shared/json.ts";
import { check, invalidRequest } from "../check.ts";
import { HostError } from "../errors.ts";

const MAX_BODY_BYTES = 1024 * 1024;

/**
 * Parses the fields of a request: the query of a GET, where the last of a repeated parameter counts, else the JSON
 * body of any content type.
 *
 * @throws HostError `payload_too_large`, `invalid_request` with a problem per path
 */
export async function readFields<S extends v.GenericSchema>(
  request: Request,
  method: Call["method"],
  schema: S,
): Promise<v.InferOutput<S>> {
  if (Object.is(schema, NoFields)) return check(schema, {}, "body");
  return method === "GET"
    ? check(schema, Object.fromEntries(new URL(request.url).searchParams), "query")
    : check(schema, parseBytes(await readBytes(request)), "body");
}

/**
 * Returns the `Idempotency-Key` header, or null.
 *
 * @throws HostError `invalid_request` for an invalid key
 */
export function idempotencyKeyOf(request: Request): string | null {
  const key = request.headers.get("idempotency-key");
  if (key !== null && (key === "" || key.length > 200)) {
    throw invalidRequest({ "Idempotency-Key": "must have 1 to 200 characters" });
  }
  return key;
}

function parseBytes(bytes: Uint8Array): unknown {
  try {
    return parseJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw invalidRequest({ body: "must be JSON in UTF-8" });
  }
}

async function readBytes(request: Request): Promise<Uint8Array> {
  const tooLarge = () =>
    new HostError("payload_too_large", `The request is larger than ${MAX_BODY_BYTES / 1024} KiB.`);
  if (Number(request.headers.get("content-length") ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  if (request.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body) {
    size += chunk.byteLength;
    if (size > MAX_BODY_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
