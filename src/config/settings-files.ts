/** The user's own files. Errors quote no value, which may be a secret. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import * as v from "valibot";
import { readRegularFile, replaceFile } from "../shared/atomic-file.ts";
import { ConfigError } from "../shared/errors.ts";
import { parseJson } from "../shared/json.ts";

type Schema = v.GenericSchema<unknown, unknown>;

const MAX_BYTES = 1024 * 1024;

interface JsonFileOptions<T> {
  readonly path: string;
  readonly lockPath: string;
  readonly missing: T;
}

/** A JSON file of this program, readable by this user alone. */
export class JsonFile<S extends Schema> {
  readonly #schema: S;
  readonly #options: JsonFileOptions<v.InferOutput<S>>;

  constructor(schema: S, options: JsonFileOptions<v.InferOutput<S>>) {
    this.#schema = schema;
    this.#options = options;
  }

  /** @throws ConfigError `invalid_settings` when the file is broken */
  read(): v.InferOutput<S> {
    return this.#parse(readRegularFile(this.#options.path, MAX_BYTES));
  }

  /** @throws ConfigError `invalid_settings` when the file is broken; it then stays as it is */
  edit(change: (value: v.InferOutput<S>) => v.InferOutput<S>): void {
    const { path, lockPath } = this.#options;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const transform = (current: Uint8Array | null) =>
      Buffer.from(`${JSON.stringify(change(this.#parse(current)), null, 2)}\n`);
    replaceFile(path, lockPath, transform, { mode: 0o600 });
  }

  #parse(bytes: Uint8Array | null): v.InferOutput<S> {
    const { path, missing } = this.#options;
    if (bytes === null) return missing;
    return parse(this.#schema, path, () => parseJson(Buffer.from(bytes).toString("utf8")));
  }
}

/** @throws ConfigError `invalid_settings` when the file is broken */
export async function readYaml<S extends Schema>(schema: S, path: string): Promise<v.InferOutput<S> | null> {
  const text = readOptional(path);
  if (text === null) return null;
  const yaml = await import("yaml");
  return parse(schema, path, () => yaml.parse(text, { maxAliasCount: 0 }) ?? {});
}

/** @throws ConfigError `invalid_settings` when the file is broken */
export function readToml<S extends Schema>(schema: S, path: string): v.InferOutput<S> | null {
  const text = readOptional(path);
  return text === null ? null : parse(schema, path, () => Bun.TOML.parse(text));
}

function readOptional(path: string): string | null {
  return existsSync(path) ? readFileSync(path, "utf8") : null;
}

function parse<S extends Schema>(schema: S, path: string, read: () => unknown): v.InferOutput<S> {
  let value: unknown;
  try {
    value = read();
  } catch {
    throw new ConfigError("invalid_settings", `${path} cannot be parsed.`);
  }
  // Schemas of objects accept lists.
  const result = v.safeParse(schema, Array.isArray(value) && schema.type !== "array" ? null : value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new ConfigError(
    "invalid_settings",
    `${path}: ${v.getDotPath(issue) ?? "the file"} is invalid; expected ${issue.expected ?? issue.type}.`,
  );
}
