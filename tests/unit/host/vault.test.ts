import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Vault } from "../../../src/host/connections/vault.ts";
import { VaultError } from "../../../src/host/errors.ts";

const OLD = Buffer.alloc(32, 1).toString("base64");
const NEW = Buffer.alloc(32, 2).toString("hex");
const PLACE = { teamId: "team", connectionId: "connection" };
const SECRET = '{"kind":"token","token":"grüße"}';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tracker-vault-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const keyFile = () => join(folder, "tracker.db.key");
const vault = (keys?: string, hasSecrets = false) =>
  new Vault({ keys, keyFile: keyFile(), hasSecrets: async () => hasSecrets });
const seal = async (keys?: string) => (await vault(keys).keyring()).seal(SECRET, PLACE);
const failure = async (work: Promise<unknown>) => {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(VaultError);
  return error instanceof VaultError ? error : null;
};
const openFailure = async (sealed: string, keys: string | undefined, place = PLACE) =>
  failure(
    vault(keys)
      .keyring()
      .then((keyring) => keyring.open(sealed, place)),
  );

describe("a secret", () => {
  test("comes back, and is sealed otherwise each time", async () => {
    const sealed = await seal(OLD);
    expect((await vault(OLD).keyring()).open(sealed, PLACE)).toBe(SECRET);
    expect(sealed).not.toContain("token");
    expect(await seal(OLD)).not.toBe(sealed);
  });

  test.each([
    ["another team's", { ...PLACE, teamId: "rivals" }],
    ["another connection's", { ...PLACE, connectionId: "other" }],
    ["the same text split otherwise", { teamId: "teamconnection", connectionId: "" }],
  ])("cannot be opened in %s place", async (_, place) => {
    expect((await openFailure(await seal(OLD), OLD, place))?.code).toBe("vault_secret_damaged");
  });

  test("cannot be opened when any character of it was changed", async () => {
    const sealed = await seal(OLD);
    const keyring = await vault(OLD).keyring();
    for (let index = 0; index < sealed.length; index++) {
      const changed = `${sealed.slice(0, index)}${sealed[index] === "A" ? "B" : "A"}${sealed.slice(index + 1)}`;
      // The last character of base64url may have bits that mean nothing.
      if (Buffer.from(changed, "base64url").equals(Buffer.from(sealed, "base64url"))) continue;
      const opened = Promise.try(() => keyring.open(changed, PLACE));
      expect(["vault_secret_damaged", "vault_key_unknown"]).toContain((await failure(opened))?.code ?? "");
    }
    for (const text of ["", "v1", "v1..", sealed.slice(0, 40)]) {
      await failure(Promise.try(() => keyring.open(text, PLACE)));
    }
  });

  test("outlives a rotation: the first key seals, all open", async () => {
    const old = await seal(OLD);
    const rotated = await vault(`${NEW}, ${OLD}`).keyring();
    expect(rotated.open(old, PLACE)).toBe(SECRET);
    const fresh = rotated.seal(SECRET, PLACE);
    expect((await vault(NEW).keyring()).open(fresh, PLACE)).toBe(SECRET);
    const error = await openFailure(old, NEW);
    expect([error?.code, error?.message]).toEqual(["vault_key_unknown", expect.stringContaining("old key")]);
    expect(error?.message).toContain("TRACKER_VAULT_KEY");
    expect(error?.message).toContain(keyFile());
  });
});

describe("keys that are given", () => {
  test.each(["short", "z".repeat(64), `${OLD},`, `${OLD},nonsense`, "A".repeat(45)])(
    "%s is refused",
    async (keys) => {
      const error = await failure(vault(keys).keyring());
      expect([error?.code, error?.message]).toEqual([
        "vault_key_invalid",
        expect.stringContaining("openssl"),
      ]);
      expect(error?.message).not.toContain(OLD);
    },
  );

  test("the variable goes before the file, and an empty one is none", async () => {
    await seal(OLD);
    expect(readdirSync(folder)).toEqual([]);
    await seal("");
    expect(readdirSync(folder)).toEqual(["tracker.db.key"]);
  });

  test("without variable and file there is no sealing", async () => {
    const bare = new Vault({ keys: undefined, keyFile: undefined, hasSecrets: async () => false });
    expect((await failure(bare.keyring()))?.code).toBe("vault_key_missing");
  });
});

describe("the key file", () => {
  test("is made once, for its owner alone, and is what opens later", async () => {
    const sealed = await seal();
    expect((statSync(keyFile()).mode & 0o777).toString(8)).toBe("600");
    expect(Buffer.from(readFileSync(keyFile(), "utf8"), "base64")).toHaveLength(32);
    expect((await vault(undefined, true).keyring()).open(sealed, PLACE)).toBe(SECRET);
  });

  test("is one for all that make it at once", async () => {
    const sealed = await Promise.all(Array.from({ length: 20 }, () => seal()));
    const keyring = await vault(undefined, true).keyring();
    expect(new Set(sealed.map((text) => keyring.open(text, PLACE)))).toEqual(new Set([SECRET]));
    expect(readdirSync(folder)).toEqual(["tracker.db.key"]);
  });

  test("is not made anew when there are secrets that it could not open", async () => {
    const error = await failure(vault(undefined, true).keyring());
    expect(error?.code).toBe("vault_key_missing");
    expect(error?.message).toContain(keyFile());
    expect(error?.message).toContain("Restore");
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each([0o640, 0o604, 0o660, 0o666])("that others could use (%o) is refused", async (mode) => {
    await seal();
    chmodSync(keyFile(), mode);
    const error = await failure(vault().keyring());
    expect([error?.code, error?.message]).toEqual(["vault_key_unsafe", expect.stringContaining("chmod 600")]);
  });

  test.skipIf(process.getuid?.() !== 0)("of another user is refused", async () => {
    await seal();
    chownSync(keyFile(), 65_534, 65_534);
    const error = await failure(vault().keyring());
    expect([error?.code, error?.message]).toEqual([
      "vault_key_unsafe",
      expect.stringContaining("another user"),
    ]);
  });

  test("that is a link or nonsense is refused", async () => {
    symlinkSync("/etc/hostname", keyFile());
    expect((await failure(vault().keyring()))?.code).toBe("vault_key_unsafe");
    rmSync(keyFile());
    writeFileSync(keyFile(), "not a key\n", { mode: 0o600 });
    const error = await failure(vault().keyring());
    expect([error?.code, error?.message]).toEqual(["vault_key_invalid", expect.stringContaining(keyFile())]);
  });

  test("that was replaced does not open what the old one sealed", async () => {
    const sealed = await seal();
    writeFileSync(keyFile(), OLD, { mode: 0o600 });
    const error = await openFailure(sealed, undefined);
    expect([error?.code, error?.message]).toEqual(["vault_key_unknown", expect.stringContaining(keyFile())]);
  });
});
