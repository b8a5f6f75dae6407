import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Credential, CredentialStore } from "../../src/config/credentials.ts";
import { chooseControlPlane, type Folders, parseHostUrl, userFolders } from "../../src/config/settings.ts";
import { ConfigError, TrackerError } from "../../src/shared/errors.ts";
import { failureOf } from "../helpers/failure.ts";

const SECRET = "s3cret-canary";

let home = "";
let folders: Folders = { config: "", state: "", legacy: "" };
const legacy = (): string => join(home, ".spec-kitty");
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "tracker-settings-"));
  folders = userFolders({}, { platform: "linux", homeDirectory: home });
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
const writeUserConfig = (text: string): void => write(join(folders.config, "config.yaml"), text);
const writeLegacyConfig = (text: string): void => write(join(legacy(), "config.toml"), text);
const writeLegacyCredentials = (text: string): void => write(join(legacy(), "credentials"), text);

/** What `action` throws; fails the test when it does not. */
function thrown(action: () => unknown): TrackerError {
  try {
    action();
  } catch (error) {
    if (error instanceof TrackerError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("folders", () => {
  const at = (env: Record<string, string>, platform: NodeJS.Platform = "linux"): Folders =>
    userFolders(env, { platform, homeDirectory: "/home/ada" });

  test.each(["linux", "darwin"] as const)("by XDG's defaults on %s", (platform) => {
    expect(at({}, platform)).toEqual({
      config: "/home/ada/.config/tracker",
      state: "/home/ada/.local/state/tracker",
      legacy: "/home/ada/.spec-kitty",
    });
  });

  test("by XDG's variables", () => {
    expect(at({ XDG_CONFIG_HOME: "/c", XDG_STATE_HOME: "/s" })).toMatchObject({
      config: "/c/tracker",
      state: "/s/tracker",
    });
  });

  test("a home is needed only for what is kept in it", () => {
    const homeless = (env: Record<string, string>) =>
      userFolders(env, { platform: "linux", homeDirectory: null });
    expect(homeless({ TRACKER_HOME: "/t" })).toEqual({ config: "/t", state: "/t/state", legacy: null });
    const named = { XDG_CONFIG_HOME: "/c", XDG_STATE_HOME: "/s" };
    expect(homeless(named)).toEqual({ config: "/c/tracker", state: "/s/tracker", legacy: null });
    for (const [env, reason] of [
      [{}, "HOME is not set"],
      [{ HOME: "" }, "HOME is empty"],
      [{ HOME: "rel" }, 'HOME is "rel"'],
      [{ HOME: "/" }, 'HOME is "/"'],
    ] as const) {
      const error = thrown(() => homeless(env).state);
      expect([error.code, error.message]).toEqual([
        "no_home",
        `There is no home folder for tracker's settings and state: ${reason}.`,
      ]);
    }
  });

  test("a relative TRACKER_HOME is refused: it would be in whatever folder is the current one", () => {
    expect(thrown(() => at({ TRACKER_HOME: "here" })).message).toBe(
      'TRACKER_HOME must be an absolute path, not "here".',
    );
  });

  test.each(["", "relative/path", "./x"])(
    "XDG variables that are no absolute path are ignored: %p",
    (path) => {
      expect(at({ XDG_CONFIG_HOME: path, XDG_STATE_HOME: path })).toEqual(at({}));
    },
  );

  test("TRACKER_HOME takes both, but older tools stay where they are", () => {
    expect(at({ TRACKER_HOME: "/t", XDG_CONFIG_HOME: "/c" })).toEqual({
      config: "/t",
      state: "/t/state",
      legacy: "/home/ada/.spec-kitty",
    });
  });

  test("on Windows", () => {
    const { config, state } = at({ APPDATA: "/roaming", LOCALAPPDATA: "/local" }, "win32");
    expect([config, state]).toEqual(["/roaming/tracker", "/local/tracker"]);
    expect(at({}, "win32").config).toBe("/home/ada/AppData/Roaming/tracker");
    expect(at({}, "win32").state).toBe("/home/ada/AppData/Local/tracker");
  });
});

describe("host URLs", () => {
  test.each([
    ["https://tracker.example.com", "https://tracker.example.com/"],
    ["https://tracker.example.com:8443/base", "https://tracker.example.com:8443/base"],
    ["https://tracker.example.com/?a=1#b", "https://tracker.example.com/"],
    ["HTTPS://Tracker.Example.com", "https://tracker.example.com/"],
    ["http://localhost:7411", "http://localhost:7411/"],
    ["http://127.0.0.1:7411", "http://127.0.0.1:7411/"],
    ["http://127.8.8.8", "http://127.8.8.8/"],
    ["http://0x7f.1", "http://127.0.0.1/"],
    ["http://[::1]:7411", "http://[::1]:7411/"],
  ])("%s is %s", (text, href) => {
    expect(parseHostUrl(text, "--host").href).toBe(href);
  });

  test.each([
    "http://tracker.example.com",
    "http://10.0.0.1",
    "http://0.0.0.0:7411",
    "http://localhost.example.com",
    "http://127.0.0.1.example.com",
    "http://[::2]",
    "http://128.0.0.1",
    "http://notlocalhost",
  ])("plain http beyond this machine is refused: %s", (text) => {
    expect(thrown(() => parseHostUrl(text, "TRACKER_HOST"))).toMatchObject({ code: "insecure_host" });
  });

  test.each([
    "",
    "tracker.example.com",
    "ftp://tracker.example.com",
    "file:///etc/passwd",
    "https://",
    "Embedded",
  ])("what is no address is refused: %p", (text) => {
    const error = thrown(() => parseHostUrl(text, "TRACKER_HOST"));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.code).toBe("invalid_host");
    expect(error.message).toContain("TRACKER_HOST");
  });

  test.each([
    `https://ada:${SECRET}@tracker.example.com`,
    `https://${SECRET}@tracker.example.com`,
    `http://ada:${SECRET}@localhost`,
    `http://ada:${SECRET}@tracker.example.com`,
    `ftp://ada:${SECRET}@tracker.example.com`,
    `https://ada:${SECRET}@tracker example.com`,
    `https://ada:${SECRET}/x@tracker example.com`,
    `ada:${SECRET}@tracker.example.com`,
  ])("credentials in it are refused, and not repeated", (text) => {
    const error = thrown(() => parseHostUrl(text, "TRACKER_HOST"));
    expect(error.code).toBe("invalid_host");
    expect(Bun.inspect(error)).not.toContain(SECRET);
  });
});

describe("choosing the control plane", () => {
  const url = (name: string): string => `https://${name}.example`;

  test("what was said nearest to the command wins", async () => {
    const env: Record<string, string> = {
      TRACKER_HOST: url("env"),
      SPEC_KITTY_SAAS_URL: url("legacy-env"),
    };
    writeUserConfig(`host: ${url("user")}\n`);
    writeLegacyConfig(`[sync]\nserver_url = "${url("legacy-file")}"\n`);
    const chosen = async (flag?: string): Promise<string[]> => {
      const plane = await chooseControlPlane(flag, env, folders);
      return plane.kind === "remote" ? [plane.url.origin, plane.source] : [plane.kind, plane.source];
    };
    expect(await chosen(url("flag"))).toEqual([url("flag"), "--host"]);
    expect(await chosen()).toEqual([url("env"), "TRACKER_HOST"]);
    env.TRACKER_HOST = "";
    expect(await chosen()).toEqual([url("legacy-env"), "SPEC_KITTY_SAAS_URL"]);
    delete env.SPEC_KITTY_SAAS_URL;
    expect(await chosen()).toEqual([url("user"), join(folders.config, "config.yaml")]);
    writeUserConfig("team: acme\n");
    expect(await chosen()).toEqual([url("legacy-file"), join(legacy(), "config.toml")]);
    writeLegacyConfig("[other]\nkey = 1\n");
    expect(await chosen()).toEqual(["embedded", "default"]);
  });

  test("without anything it is the embedded one", async () => {
    expect(await chooseControlPlane(undefined, {}, folders)).toEqual({ kind: "embedded", source: "default" });
  });

  test.each(["flag", "env", "file"])(
    "`embedded` says so from the %s, against what comes after",
    async (where) => {
      writeLegacyConfig(`[sync]\nserver_url = "${url("legacy")}"\n`);
      if (where === "file") writeUserConfig("host: embedded\n");
      const env = where === "env" ? { TRACKER_HOST: "embedded" } : {};
      const plane = await chooseControlPlane(where === "flag" ? "embedded" : undefined, env, folders);
      expect(plane.kind).toBe("embedded");
    },
  );

  test("the first that is set decides, also when it cannot be used", async () => {
    const env = { TRACKER_HOST: "not a url", SPEC_KITTY_SAAS_URL: url("next") };
    expect(await failureOf(chooseControlPlane(undefined, env, folders))).toMatchObject({
      code: "invalid_host",
    });
  });

  test("an empty user config is none", async () => {
    writeUserConfig("# nothing yet\n");
    expect(await chooseControlPlane(undefined, {}, folders)).toMatchObject({ kind: "embedded" });
  });

  test.each([
    ["YAML that cannot be parsed", () => writeUserConfig(`host: "${SECRET}\n  : [`)],
    ["YAML of another shape", () => writeUserConfig("host:\n  - a\n")],
    ["YAML that is a list", () => writeUserConfig("- host\n")],
    ["an alias bomb", () => writeUserConfig("a: &a [1]\nb: &b [*a, *a]\nhost: *b\n")],
    ["TOML that cannot be parsed", () => writeLegacyConfig(`[sync\nserver_url = "${SECRET}`)],
    ["TOML of another shape", () => writeLegacyConfig("[sync]\nserver_url = 7\n")],
  ])("%s is an error that names the file and quotes nothing of it", async (_name, arrange) => {
    arrange();
    const error = await failureOf(chooseControlPlane(undefined, {}, folders));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toMatchObject({ code: "invalid_settings" });
    expect(String(error)).toContain(home);
    expect(Bun.inspect(error)).not.toContain(SECRET);
  });
});

describe("credentials", () => {
  const HOST = new URL("https://tracker.example/base");
  const PERSONAL: Credential = {
    kind: "personal",
    accessToken: SECRET,
    refreshToken: null,
    teamSlug: "acme",
  };
  const store = (env: Record<string, string> = {}): CredentialStore => new CredentialStore(folders, env);
  const LEGACY = `[tokens]\naccess = "${SECRET}"\nrefresh = "refresh-1"\n[user]\nteam_slug = "legacy-team"\n`;

  test("there are none at first", async () => {
    expect(await store().find(HOST)).toBeNull();
    expect(store().remove(HOST)).toBe(false);
    expect(existsSync(folders.config)).toBe(false);
  });

  test("what is stored is found for its origin and nowhere else", async () => {
    store().store(HOST, PERSONAL);
    expect(await store().find(new URL("https://tracker.example/elsewhere"))).toEqual({
      credential: PERSONAL,
      source: join(folders.config, "credentials.json"),
    });
    const others = [
      "http://tracker.example",
      "https://tracker.example:8443",
      "https://tracker.example.evil.example",
      "https://sub.tracker.example",
    ];
    for (const other of others) expect(await store().find(new URL(other))).toBeNull();
  });

  test("every origin keeps its own, and removing one leaves the others", async () => {
    const other = new URL("https://other.example");
    store().store(HOST, PERSONAL);
    store().store(other, { ...PERSONAL, accessToken: "two" });
    store().store(HOST, { ...PERSONAL, accessToken: "three" });
    expect(store().remove(HOST)).toBe(true);
    expect(store().remove(HOST)).toBe(false);
    expect(await store().find(HOST)).toBeNull();
    expect((await store().find(other))?.credential.accessToken).toBe("two");
  });

  test("TRACKER_TOKEN wins, for the team that is named", async () => {
    store().store(HOST, PERSONAL);
    writeUserConfig("team: from-config\n");
    expect(await store({ TRACKER_TOKEN: "from-env" }).find(HOST)).toEqual({
      credential: { kind: "personal", accessToken: "from-env", refreshToken: null, teamSlug: null },
      source: "TRACKER_TOKEN",
    });
    const found = await store({ TRACKER_TOKEN: "from-env", TRACKER_TEAM: "globex" }).find(HOST);
    expect(found?.credential.teamSlug).toBe("globex");
  });

  test("the team is the environment's, the credential's, the config's", async () => {
    const team = async (env: Record<string, string> = {}) =>
      (await store(env).find(HOST))?.credential.teamSlug;
    store().store(HOST, PERSONAL);
    writeUserConfig("team: from-config\n");
    expect(await team({ TRACKER_TEAM: "from-env" })).toBe("from-env");
    expect(await team()).toBe("acme");
    store().store(HOST, { ...PERSONAL, teamSlug: null });
    expect(await team()).toBe("from-config");
    expect(await team({ TRACKER_TEAM: "" })).toBe("from-config");
  });

  test("are readable by their owner alone, also when the file was open before", () => {
    store().store(HOST, PERSONAL);
    const { path } = store();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(folders.config).mode & 0o777).toBe(0o700);
    chmodSync(path, 0o644);
    store().store(HOST, { ...PERSONAL, accessToken: "two" });
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test.each([
    ["broken JSON", `{"https://tracker.example": {"accessToken": "${SECRET}"`],
    [
      "a credential of another shape",
      JSON.stringify({ "https://tracker.example": { accessToken: [SECRET] } }),
    ],
    ["a credential that is text", JSON.stringify({ "https://tracker.example": SECRET })],
    ["an unknown kind", JSON.stringify({ "https://tracker.example": { ...PERSONAL, kind: "x" } })],
    ["no object", JSON.stringify(SECRET)],
    ["a list", "[]"],
  ])("%s in the file is an error without the secret, and the file stays", async (_name, text) => {
    write(store().path, text);
    const errors = [
      await failureOf(store().find(HOST)),
      thrown(() => store().store(HOST, PERSONAL)),
      thrown(() => store().remove(HOST)),
    ];
    for (const error of errors) {
      expect(error).toMatchObject({ name: "ConfigError", code: "invalid_settings" });
      expect(Bun.inspect(error)).not.toContain(SECRET);
    }
    expect(readFileSync(store().path, "utf8")).toBe(text);
  });

  describe("of older tools", () => {
    test("serve the server that they name", async () => {
      writeLegacyCredentials(`${LEGACY}[server]\nurl = "https://tracker.example/api"\n`);
      expect(await store().find(HOST)).toEqual({
        credential: {
          kind: "legacy",
          accessToken: SECRET,
          refreshToken: "refresh-1",
          teamSlug: "legacy-team",
        },
        source: join(legacy(), "credentials"),
      });
    });

    test("serve the server of their config when they name none", async () => {
      writeLegacyCredentials(LEGACY);
      expect(await store().find(HOST)).toBeNull();
      writeLegacyConfig('[sync]\nserver_url = "https://tracker.example"\n');
      expect((await store().find(HOST))?.credential.kind).toBe("legacy");
    });

    test.each(["https://other.example", "http://tracker.example", "https://tracker.example:444", "no url"])(
      "are never sent elsewhere: made for %s",
      async (server) => {
        writeLegacyCredentials(`${LEGACY}[server]\nurl = "${server}"\n`);
        writeLegacyConfig('[sync]\nserver_url = "https://tracker.example"\n');
        expect(await store().find(HOST)).toBeNull();
      },
    );

    test("give way to what is stored here", async () => {
      writeLegacyCredentials(`${LEGACY}[server]\nurl = "https://tracker.example"\n`);
      store().store(HOST, { ...PERSONAL, accessToken: "ours" });
      expect((await store().find(HOST))?.credential.accessToken).toBe("ours");
    });

    test("without tokens are none; without the rest they are enough", async () => {
      writeLegacyCredentials('[server]\nurl = "https://tracker.example"\n');
      expect(await store().find(HOST)).toBeNull();
      writeLegacyCredentials(`[tokens]\naccess = "a"\n[server]\nurl = "https://tracker.example"\n`);
      expect((await store().find(HOST))?.credential).toEqual({
        kind: "legacy",
        accessToken: "a",
        refreshToken: null,
        teamSlug: null,
      });
    });

    test("are never written", async () => {
      const text = `${LEGACY}[server]\nurl = "https://tracker.example"\n`;
      writeLegacyCredentials(text);
      store().store(HOST, PERSONAL);
      store().remove(HOST);
      expect(readFileSync(join(legacy(), "credentials"), "utf8")).toBe(text);
    });

    test("that cannot be parsed are an error without the secret", async () => {
      writeLegacyCredentials(`[tokens]\naccess = "${SECRET}`);
      const error = await failureOf(store().find(HOST));
      expect(error).toMatchObject({ code: "invalid_settings" });
      expect(Bun.inspect(error)).not.toContain(SECRET);
    });
  });
});
