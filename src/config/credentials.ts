import { join } from "node:path";
import * as v from "valibot";
import { ConfigError } from "../shared/errors.ts";
import type { Environment } from "../shared/io.ts";
import { tokenProblem } from "../shared/token.ts";
import { editLock, type Folders, legacyServer, readUserConfig } from "./settings.ts";
import { JsonFile, readToml } from "./settings-files.ts";

/**
 * A credential for a control plane. `personal` tokens do not expire; the others are renewed with their refresh
 * token, each kind at its own endpoint.
 */
export const Credential = v.object({
  kind: v.picklist(["personal", "oauth", "legacy"]),
  accessToken: v.pipe(v.string(), v.nonEmpty()),
  refreshToken: v.nullable(v.string()),
  /** Null before the first answer of the control plane. */
  teamSlug: v.nullable(v.string()),
});
export type Credential = v.InferOutput<typeof Credential>;

/** Keyed by exact origin. */
const CredentialFile = v.record(v.string(), Credential);

const LegacyCredentials = v.object({
  tokens: v.optional(v.object({ access: v.optional(v.string()), refresh: v.optional(v.string()) })),
  user: v.optional(v.object({ team_slug: v.optional(v.string()) })),
  server: v.optional(v.object({ url: v.optional(v.string()) })),
});

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

  get #file(): JsonFile<typeof CredentialFile> {
    return new JsonFile(CredentialFile, { path: this.path, lockPath: editLock(this.#folders), missing: {} });
  }

  /** The credential for `url`'s origin and its source, or null. `TRACKER_TOKEN` wins. */
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
    const stored = this.#file.read()[url.origin];
    const found = stored ? { credential: stored, source: this.path } : this.#findLegacy(url);
    if (found === null) return null;
    const team = teamSlug ?? found.credential.teamSlug ?? (await readUserConfig(this.#folders)).team ?? null;
    return { ...found, credential: { ...found.credential, teamSlug: team } };
  }

  /** Older Spec Kitty tools store one credential, for the server that it or their config names. */
  #findLegacy(url: URL): { readonly credential: Credential; readonly source: string } | null {
    const folder = this.#folders.legacy;
    if (folder === null) return null;
    const path = join(folder, "credentials");
    const legacy = readToml(LegacyCredentials, path);
    if (!legacy?.tokens?.access) return null;
    const server = legacy.server?.url ?? legacyServer(this.#folders).url;
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

  store(url: URL, credential: Credential): void {
    this.#file.edit((all) => ({ ...all, [url.origin]: credential }));
  }

  /** Returns false when there was none. */
  remove(url: URL): boolean {
    if (this.#file.read()[url.origin] === undefined) return false;
    this.#file.edit(({ [url.origin]: _removed, ...others }) => others);
    return true;
  }
}
