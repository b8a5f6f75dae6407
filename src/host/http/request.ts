/** Reading requests: every value is parsed here, once. */
import type * as v from "valibot";
import {
  HOSTED_PROVIDERS,
  type HostedProvider,
  isHosted,
  isLocal,
  isRemoved,
} from "../../shared/providers.ts";
import { check, invalidRequest } from "../check.ts";
import { HostError } from "../errors.ts";

/** Largest request body, in bytes. */
const BODY_LIMIT = 1024 * 1024;

/**
 * The request's JSON body in the shape of `schema`, whatever its content type says.
 *
 * @throws HostError `payload_too_large`, `invalid_request` with a problem per path
 */
export async function readBody<S extends v.GenericSchema>(
  request: Request,
  schema: S,
): Promise<v.InferOutput<S>> {
  return check(schema, parseJson(await readBytes(request)), "body");
}

/**
 * The query parameters in the shape of `schema`; of a repeated one the last counts.
 *
 * @throws HostError `invalid_request` with a problem per parameter
 */
export function readQuery<S extends v.GenericSchema>(request: Request, schema: S): v.InferOutput<S> {
  return check(schema, Object.fromEntries(new URL(request.url).searchParams), "query");
}

/**
 * The `Idempotency-Key` header; null when there is none.
 *
 * @throws HostError `invalid_request` when it cannot be one
 */
export function idempotencyKeyOf(request: Request): string | null {
  const key = request.headers.get("idempotency-key");
  if (key !== null && (key === "" || key.length > 200)) {
    throw invalidRequest({ "Idempotency-Key": "must have 1 to 200 characters" });
  }
  return key;
}

/**
 * A provider that this control plane serves.
 *
 * @throws HostError `unsupported_provider` with what to do instead
 */
export function hostedProvider(name: string): HostedProvider {
  const provider = name.toLowerCase();
  if (isHosted(provider)) return provider;
  const instead = `Use one of ${HOSTED_PROVIDERS.join(", ")}.`;
  if (isRemoved(provider)) throw unsupported(`Azure DevOps is no longer supported. ${instead}`);
  if (isLocal(provider)) {
    throw unsupported(
      `${provider} is a local provider and is never reached through a control plane. ` +
        `Bind it on this machine: tracker bind --provider ${provider}`,
    );
  }
  throw unsupported(`"${name}" is not a provider of this control plane. ${instead}`);
}

function unsupported(message: string): HostError {
  return new HostError("unsupported_provider", message);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw invalidRequest({ body: "must be JSON in UTF-8" });
  }
}

async function readBytes(request: Request): Promise<Uint8Array> {
  const tooLarge = () =>
    new HostError("payload_too_large", `The request is larger than ${BODY_LIMIT / 1024} KiB.`);
  if (Number(request.headers.get("content-length") ?? 0) > BODY_LIMIT) throw tooLarge();
  if (request.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body) {
    size += chunk.byteLength;
    if (size > BODY_LIMIT) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
