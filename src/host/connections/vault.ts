/**
 * Encrypts the credentials of connections in the database: AES-256-GCM under a key that the database does not hold.
 * Keys come from `TRACKER_VAULT_KEY`, or from a file next to the database that is made with the first secret.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { userInfo } from "node:os";
import { dirname } from "node:path";
import { VaultError } from "../errors.ts";

const ALGORITHM = "aes-256-gcm";
const KEY_BYTES = 32;
/** The length that the algorithm is specified for: NIST SP 800-38D section 8.2. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const FORMAT = "v1";
const VARIABLE = "TRACKER_VAULT_KEY";

/** The connection that a sealed secret belongs to. The secret opens for no other. */
interface SecretPlace {
  readonly teamId: string;
  readonly connectionId: string;
}

interface VaultOptions {
  /** 32 bytes in base64 or hexadecimal; several with commas between: the first seals, all open. */
  readonly keys: string | undefined;
  /** Absolute path of the file that holds the keys where `keys` is absent. */
  readonly keyFile: string | undefined;
  readonly hasSecrets: () => Promise<boolean>;
}

export class Vault {
  readonly #options: VaultOptions;
  #keyring: Keyring | null = null;

  constructor(options: VaultOptions) {
    this.#options = options;
  }

  /**
   * The keys. Asks the database, so it must not be called inside a transaction.
   *
   * @throws VaultError without a key, or without a trusted one
   */
  async keyring(): Promise<Keyring> {
    this.#keyring ??= await this.#load();
    return this.#keyring;
  }

  async #load(): Promise<Keyring> {
    const { keys, keyFile, hasSecrets } = this.#options;
    if (keys !== undefined && keys.trim() !== "") {
      const perhaps = keyFile === undefined ? "" : ` It may be the one in ${keyFile}.`;
      return new Keyring(parseKeys(keys, VARIABLE), VARIABLE, perhaps);
    }
    if (keyFile === undefined) {
      throw new VaultError(
        "vault_key_missing",
        "There is no key to encrypt credentials with.",
        `Set ${VARIABLE}; \`openssl rand -base64 32\` makes one.`,
      );
    }
    const known = readKeyFile(keyFile);
    if (known === null && (await hasSecrets())) {
      throw new VaultError(
        "vault_key_missing",
        `The key that stored credentials are encrypted with is missing: ${keyFile} does not exist.`,
        `Restore that file, or set ${VARIABLE} to the key. If it is lost, remove the connections and connect again.`,
      );
    }
    return new Keyring(parseKeys(known ?? makeKeyFile(keyFile), keyFile), keyFile, "");
  }
}

interface Key {
  /** Identifies a key without revealing it. */
  readonly id: string;
  readonly bytes: Buffer;
}

class Keyring {
  readonly #keys: readonly [Key, ...Key[]];
  readonly #source: string;
  readonly #elsewhere: string;

  /**
   * @param source the name of the keys' origin in messages
   * @param elsewhere A sentence about where another key may be; empty without such a place
   */
  constructor(keys: readonly [Key, ...Key[]], source: string, elsewhere: string) {
    this.#keys = keys;
    this.#source = source;
    this.#elsewhere = elsewhere;
  }

  /** The secret as `v1.<key id>.<nonce, cipher text and tag>`. */
  seal(secret: string, place: SecretPlace): string {
    const [key] = this.#keys;
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, key.bytes, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(associatedData(place));
    const sealed = [nonce, cipher.update(secret, "utf8"), cipher.final(), cipher.getAuthTag()];
    return [FORMAT, key.id, Buffer.concat(sealed).toString("base64url")].join(".");
  }

  isCurrent(sealed: string): boolean {
    return sealed.startsWith(`${FORMAT}.${this.#keys[0].id}.`);
  }

  /**
   * The secret that was sealed for this place.
   *
   * @throws VaultError when its key is missing, or when it was changed or sealed for another place
   */
  open(sealed: string, place: SecretPlace): string {
    const [format, keyId, data = ""] = sealed.split(".");
    if (format !== FORMAT) throw damaged();
    const key = this.#keys.find(({ id }) => id === keyId);
    if (key === undefined) {
      throw new VaultError(
        "vault_key_unknown",
        `A stored credential is encrypted with a key that is not in ${this.#source} (its id is ${keyId}).`,
        `Append the old key to the current one, separated by a comma.${this.#elsewhere} If it is lost, remove the connection and connect again.`,
      );
    }
    const bytes = Buffer.from(data, "base64url");
    const text = bytes.subarray(NONCE_BYTES, -TAG_BYTES);
    try {
      const nonce = bytes.subarray(0, NONCE_BYTES);
      const cipher = createDecipheriv(ALGORITHM, key.bytes, nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(associatedData(place));
      cipher.setAuthTag(bytes.subarray(-TAG_BYTES));
      return cipher.update(text, undefined, "utf8") + cipher.final("utf8");
    } catch (cause) {
      throw damaged(cause);
    }
  }
}

function associatedData({ teamId, connectionId }: SecretPlace): Buffer {
  return Buffer.from(JSON.stringify(["tracker", "connection", teamId, connectionId]));
}

function damaged(cause?: unknown): VaultError {
  return new VaultError(
    "vault_secret_damaged",
    "A stored credential was changed, or belongs to another connection.",
    "Remove the connection and connect again.",
    cause,
  );
}

function parseKeys(text: string, source: string): readonly [Key, ...Key[]] {
  const parts = text.trim().split(/\s*,\s*/);
  const [first, ...rest] = parts.map((part, index) => {
    const bytes = keyBytes(part);
    if (bytes !== null) return { id: keyId(bytes), bytes };
    const which = parts.length === 1 ? "" : ` (number ${index + 1} of ${parts.length})`;
    throw new VaultError(
      "vault_key_invalid",
      `The key in ${source}${which} is not 32 bytes in base64 or hexadecimal.`,
      "`openssl rand -base64 32` makes one.",
    );
  });
  if (first === undefined) throw new Error("Splitting text gave no part.");
  return [first, ...rest];
}

function keyBytes(text: string): Buffer | null {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, "hex");
  return /^[\w+/-]{43}=?$/.test(text) ? Buffer.from(text, "base64") : null;
}

function keyId(bytes: Buffer): string {
  return createHash("sha256").update("tracker vault key\n").update(bytes).digest("hex").slice(0, 16);
}

function readKeyFile(path: string): string | null {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return null;
    const problem = isErrno(error, "ELOOP") ? "is a symbolic link" : "cannot be read";
    throw unsafe(path, problem, error);
  }
  try {
    const stats = fstatSync(file);
    const { uid } = userInfo();
    if (!stats.isFile()) throw unsafe(path, "is not a file");
    // A platform without user ids has no file modes either.
    if (uid >= 0 && stats.uid !== uid) throw unsafe(path, "belongs to another user");
    if (uid >= 0 && (stats.mode & 0o077) !== 0) throw unsafe(path, "can be read or written by other users");
    return readFileSync(file, "utf8");
  } finally {
    closeSync(file);
  }
}

function unsafe(path: string, problem: string, cause?: unknown): VaultError {
  return new VaultError(
    "vault_key_unsafe",
    `The key file ${path} ${problem}.`,
    `Only its owner may be able to read it: chmod 600 '${path}'`,
    cause,
  );
}

/** Makes the complete key file in one step and returns its text, or the text of another process that was faster. */
function makeKeyFile(path: string): string {
  const text = `${randomBytes(KEY_BYTES).toString("base64")}\n`;
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  const file = openSync(draft, "wx", 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
    linkSync(draft, path);
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error;
  } finally {
    closeSync(file);
    unlinkSync(draft);
  }
  const folder = openSync(dirname(path), "r");
  fsyncSync(folder);
  closeSync(folder);
  const made = readKeyFile(path);
  if (made === null) throw unsafe(path, "was removed while it was made");
  return made;
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
