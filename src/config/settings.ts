/**
 * The settings of the person and the machine, never of a repository: folders,
 * which control plane to talk to, and the credentials for it.
 */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import * as v from "valibot";
import { replaceFile } from "../shared/atomic-file.ts";
import type { Machine } from "../shared/context.ts";
import { ConfigError } from "../shared/errors.ts";
import type { Environment } from "../shared/io.ts";
import { parseJson } from "../shared/json.ts";
import { isLoopback } from "../shared/network.ts";
import { tokenProblem } from "../shared/token.ts";

/**
 * The user-level folders; absolute, not created yet. Reading one throws a
 * ConfigError `no_home` when neither the environment nor the account names it,
 * so that a command which needs none still runs.
 */
export interface Folders {
  /** Settings and credentials. */
  readonly config: string;
  /** Databases, locks and what else the program remembers. */
  readonly state: string;
  /** The folder of older Spec Kitty tools, read and never written; null without a home. */
  readonly legacy: string | null;
}

/**
 * Returns the folders: `TRACKER_HOME` puts everything in one; otherwise XDG, or
 * `%AppData%` on Windows.
 *
 * @throws ConfigError `no_home` when `TRACKER_HOME` is relative
 */
export function userFolders(env: Environment, machine: Pick<Machine, "platform" | "homeDirectory">): Folders {
  const home = machine.homeDirectory;
  const legacy = home === null ? null : join(home, ".spec-kitty");
  if (env.TRACKER_HOME) {
    if (!isAbsolute(env.TRACKER_HOME)) {
      throw new ConfigError("no_home", `TRACKER_HOME must be an absolute path, not "${env.TRACKER_HOME}".`);
    }
    return { config: env.TRACKER_HOME, state: join(env.TRACKER_HOME, "state"), legacy };
  }
  const below = (set: string | undefined, ...fallback: readonly string[]): string => {
    // The XDG specification has relative paths ignored.
    if (set && isAbsolute(set)) return join(set, "tracker");
    if (home === null) throw noHome(env);
    return join(home, ...fallback, "tracker");
  };
  const isWindows = machine.platform === "win32";
  return {
    get config() {
      return isWindows ? below(env.APPDATA, "AppData", "Roaming") : below(env.XDG_CONFIG_HOME, ".config");
    },
    get state() {
      return isWindows
        ? below(env.LOCALAPPDATA, "AppData", "Local")
        : below(env.XDG_STATE_HOME, ".local", "state");
    },
    legacy,
  };
}

function noHome({ HOME }: Environment): ConfigError {
  const reason = HOME === undefined ? "HOME is not set" : HOME === "" ? "HOME is empty" : `HOME is "${HOME}"`;
  return new ConfigError("no_home", `There is no home folder for tracker's settings and state: ${reason}.`);
}

/** The lock that every edit of a file of ours is made under. */
export function editLock(folders: Pick<Folders, "state">): string {
  return join(folders.state, "edit.lock");
}

/** The control plane that a command talks to, and the setting that chose it. */
export type ControlPlane =
  | { readonly kind: "embedded"; readonly source: string }
  | { readonly kind: "remote"; readonly url: URL; readonly source: string };

/**
 * Parses the address of a control plane.
 *
 * @throws ConfigError when it is none, holds credentials, or is plain http beyond this machine
 */
export function parseHostUrl(text: string, source: string): URL {
  const shown = text.slice(text.lastIndexOf("@") + 1);
  if (!URL.canParse(text)) {
    throw new ConfigError("invalid_host", `"${shown}" (from ${source}) is not a URL.`);
  }
  const url = new URL(text);
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new ConfigError("invalid_host", `"${shown}" (from ${source}) is not an http(s) URL.`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new ConfigError("invalid_host", `The host URL from ${source} contains credentials.`, {
      details: { problem: "credentials" },
    });
  }
  if (url.protocol === "http:" && !isLoopback(url)) {
    throw new ConfigError(
      "insecure_host",
      `${url.origin} (from ${source}) is plain http to another machine.`,
    );
  }
  url.search = "";
  url.hash = "";
  return url;
}

const UserConfig = v.object({ host: v.optional(v.string()), team: v.optional(v.string()) });
const LegacyConfig = v.object({ sync: v.optional(v.object({ server_url: v.optional(v.string()) })) });

function readOptional(path: string): string | null {
  return existsSync(path) ? readFileSync(path, "utf8") : null;
}

function parseSettings<S extends v.GenericSchema>(schema: S, value: unknown, path: string): v.InferOutput<S> {
  // Lists pass for objects without fields otherwise.
  const result = v.safeParse(schema, Array.isArray(value) ? null : value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  // The schema's own message quotes the value, which may be a secret.
  throw new ConfigError(
    "invalid_settings",
    `${path}: ${v.getDotPath(issue) ?? "the file"} is invalid; expected ${issue.expected ?? issue.type}.`,
  );
}

/** Without the parser's own words, which may quote a secret. */
function unreadable(path: string): ConfigError {
  return new ConfigError("invalid_settings", `${path} cannot be parsed.`);
}

async function readUserConfig(folders: Folders): Promise<v.InferOutput<typeof UserConfig>> {
  const path = join(folders.config, "config.yaml");
  const text = readOptional(path);
  if (text === null) return {};
  const { parse } = await import("yaml");
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: 0 });
  } catch {
    throw unreadable(path);
  }
  return parseSettings(UserConfig, value ?? {}, path);
}

function readToml<S extends v.GenericSchema>(schema: S, path: string): v.InferOutput<S> | null {
  const text = readOptional(path);
  if (text === null) return null;
  let value: unknown;
  try {
    value = Bun.TOML.parse(text);
  } catch {
    throw unreadable(path);
  }
  return parseSettings(schema, value, path);
}

/**
 * Chooses the control plane: `--host`, `TRACKER_HOST`, `SPEC_KITTY_SAAS_URL`, the
 * user's config, an older Spec Kitty's config, else the embedded one. Nothing in
 * a repository has a say.
 *
 * @throws ConfigError when the first that is set cannot be used
 */
export async function chooseControlPlane(
  flag: string | undefined,
  env: Environment,
  folders: Folders,
): Promise<ControlPlane> {
  const sources: readonly (() => Promise<readonly [value: string | undefined, source: string]>)[] = [
    async () => [flag, "--host"],
    async () => [env.TRACKER_HOST, "TRACKER_HOST"],
    async () => [env.SPEC_KITTY_SAAS_URL, "SPEC_KITTY_SAAS_URL"],
    async () => [(await readUserConfig(folders)).host, join(folders.config, "config.yaml")],
    async () => {
      if (folders.legacy === null) return [undefined, "~/.spec-kitty"];
      const path = join(folders.legacy, "config.toml");
      return [readToml(LegacyConfig, path)?.sync?.server_url, path];
    },
  ];
  for (const read of sources) {
    const [value, source] = await read();
    if (!value) continue;
    return value === "embedded"
      ? { kind: "embedded", source }
      : { kind: "remote", url: parseHostUrl(value, source), source };
  }
  return { kind: "embedded", source: "default" };
}

/**
 * A credential for a control plane. `personal` tokens do not
 * expire by themselves; the others are renewed with their refresh token, each
 * kind at its own endpoint.
 */
export const Credential = v.object({
  kind: v.picklist(["personal", "oauth", "legacy"]),
  accessToken: v.pipe(v.string(), v.nonEmpty()),
  refreshToken: v.nullable(v.string()),
  /** Null until the control plane was asked. */
  teamSlug: v.nullable(v.string()),
});
export type Credential = v.InferOutput<typeof Credential>;

/** Credentials by the exact origin that they were made for. */
const CredentialFile = v.record(v.string(), Credential);

const LegacyCredentials = v.object({
  tokens: v.optional(v.object({ access: v.optional(v.string()), refresh: v.optional(v.string()) })),
  user: v.optional(v.object({ team_slug: v.optional(v.string()) })),
  server: v.optional(v.object({ url: v.optional(v.string()) })),
});

/** The credentials of this person, one per control plane. */
export class CredentialStore {
  readonly #folders: Folders;
  readonly #env: Environment;

  constructor(folders: Folders, env: Environment) {
    this.#folders = folders;
    this.#env = env;
  }

  get path(): string {
    return join(this.#folders.config, "credentials.json");
  }

  /** The credential for `url`'s origin and where it came from, or null. `TRACKER_TOKEN` wins. */
  async find(url: URL): Promise<{ readonly credential: Credential; readonly source: string } | null> {
    const teamSlug = this.#env.TRACKER_TEAM || null;
    const token = this.#env.TRACKER_TOKEN;
    if (token) {
      const problem = tokenProblem(token);
      if (problem !== null) throw new ConfigError("invalid_token", `TRACKER_TOKEN ${problem}.`);
      return {
        credential: { kind: "personal", accessToken: token.trim(), refreshToken: null, teamSlug },
        source: "TRACKER_TOKEN",
      };
    }
    const stored = this.#parse(readOptional(this.path))[url.origin];
    const found = stored ? { credential: stored, source: this.path } : this.#findLegacy(url);
    if (found === null) return null;
    const team = teamSlug ?? found.credential.teamSlug ?? (await readUserConfig(this.#folders)).team ?? null;
    return { ...found, credential: { ...found.credential, teamSlug: team } };
  }

  /** Older Spec Kitty tools hold one credential, for the server that it or their config names. */
  #findLegacy(url: URL): { readonly credential: Credential; readonly source: string } | null {
    const folder = this.#folders.legacy;
    if (folder === null) return null;
    const path = join(folder, "credentials");
    const legacy = readToml(LegacyCredentials, path);
    if (!legacy?.tokens?.access) return null;
    const server =
      legacy.server?.url ?? readToml(LegacyConfig, join(folder, "config.toml"))?.sync?.server_url;
    if (!server || !URL.canParse(server) || new URL(server).origin !== url.origin) return null;
    return {
      credential: {
        kind: "legacy",
        accessToken: legacy.tokens.access,
        refreshToken: legacy.tokens.refresh || null,
        teamSlug: legacy.user?.team_slug || null,
      },
      source: path,
    };
  }

  /** Stores the credential for `url`'s origin, readable by this person alone. */
  store(url: URL, credential: Credential): void {
    this.#edit((all) => ({ ...all, [url.origin]: credential }));
  }

  /** Forgets the credential for `url`'s origin; false when there was none. */
  remove(url: URL): boolean {
    if (this.#parse(readOptional(this.path))[url.origin] === undefined) return false;
    this.#edit(({ [url.origin]: _removed, ...others }) => others);
    return true;
  }

  #edit(change: (all: v.InferOutput<typeof CredentialFile>) => v.InferOutput<typeof CredentialFile>): void {
    mkdirSync(this.#folders.config, { recursive: true, mode: 0o700 });
    replaceFile(
      this.path,
      editLock(this.#folders),
      (current) => {
        const before = this.#parse(current === null ? null : Buffer.from(current).toString("utf8"));
        return Buffer.from(`${JSON.stringify(change(before), null, 2)}\n`);
      },
      { mode: 0o600 },
    );
  }

  #parse(text: string | null): v.InferOutput<typeof CredentialFile> {
    if (text === null) return {};
    let value: unknown;
    try {
      value = parseJson(text);
    } catch {
      throw unreadable(this.path);
    }
    return parseSettings(CredentialFile, value, this.path);
  }
}
