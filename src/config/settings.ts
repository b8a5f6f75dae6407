/** The settings of the user and the machine, never of a repository. */
import { isAbsolute, join } from "node:path";
import * as v from "valibot";
import type { Machine } from "../shared/context.ts";
import { ConfigError } from "../shared/errors.ts";
import type { Environment } from "../shared/io.ts";
import { isLoopback } from "../shared/network.ts";
import { readToml, readYaml } from "./settings-files.ts";

/**
 * Absolute, not created yet. A getter throws a ConfigError `no_home` when neither the environment nor the
 * account names the folder, so that a command which needs none still runs.
 */
export interface Folders {
  readonly config: string;
  /** Databases, locks and other state. */
  readonly state: string;
  /** Of older Spec Kitty tools: read, never written; null without a home. */
  readonly legacy: string | null;
}

/**
 * `TRACKER_HOME` puts everything in one folder; the default is XDG, or `%AppData%` on Windows.
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

/** Shared by every edit of a config or of the user's settings. */
export function editLock(folders: Pick<Folders, "state">): string {
  return join(folders.state, "edit.lock");
}

/** The chosen control plane, and the setting that chose it. */
export type ControlPlane =
  | { readonly kind: "embedded"; readonly source: string }
  | { readonly kind: "remote"; readonly url: URL; readonly source: string };

/** @throws ConfigError when it is no address, holds credentials, or is plain http beyond this machine */
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

const UserConfig = v.object({
  host: v.optional(v.string()),
  team: v.optional(v.string()),
  /** `report` leaves configs that predate binding references as they are. */
  upgrade: v.optional(v.picklist(["write", "report"])),
});
const LegacyConfig = v.object({ sync: v.optional(v.object({ server_url: v.optional(v.string()) })) });

export async function readUserConfig(folders: Folders): Promise<v.InferOutput<typeof UserConfig>> {
  return (await readYaml(UserConfig, join(folders.config, "config.yaml"))) ?? {};
}

/** The server in the config of older Spec Kitty tools. */
export function legacyServer({ legacy }: Folders): {
  readonly url: string | undefined;
  readonly source: string;
} {
  if (legacy === null) return { url: undefined, source: "~/.spec-kitty" };
  const path = join(legacy, "config.toml");
  return { url: readToml(LegacyConfig, path)?.sync?.server_url, source: path };
}

/**
 * True unless `TRACKER_NO_UPGRADE` or the user's config says otherwise.
 *
 * @throws ConfigError when the user's config cannot be used
 */
export async function upgradesConfigs(env: Environment, folders: Folders): Promise<boolean> {
  return !env.TRACKER_NO_UPGRADE && (await readUserConfig(folders)).upgrade !== "report";
}

/**
 * Chooses the first of `--host`, `TRACKER_HOST`, `SPEC_KITTY_SAAS_URL`, the user's config, an older Spec Kitty's
 * config, the embedded one. A repository has no influence.
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
      const { url, source } = legacyServer(folders);
      return [url, source];
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
