import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Names of a certificate and its key, as files. */
export interface Certificate {
  readonly key: string;
  readonly certificate: string;
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Certificates of an authority that no machine knows, made with openssl and removed on disposal. */
export class Certificates implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "tracker-certificates-"));

  constructor() {
    this.#selfSigned("authority", "DNS:authority.example");
  }

  /** The file with the authority's own certificate. */
  get authority(): string {
    return this.#path("authority.pem");
  }

  /** A certificate that its owner alone signed. */
  selfSigned(): Certificate {
    return this.#selfSigned("self", "DNS:localhost");
  }

  /**
   * A certificate of the authority.
   *
   * @param days until it expires; less than none when it has
   */
  issue(name: string, { host = "localhost", days = 2 } = {}): Certificate {
    const [key, request, certificate] = ["key", "csr", "pem"].map((end) => this.#path(`${name}.${end}`));
    const names = this.#path(`${name}.ext`);
    writeFileSync(names, `subjectAltName=DNS:${host}\n`);
    openssl("req", ...NEW_KEY, "-subj", `/CN=${name}`, "-keyout", key, "-out", request);
    const signer = ["-CA", this.authority, "-CAkey", this.#path("authority.key"), "-CAcreateserial"];
    const content = ["-extfile", names, "-days", String(days), "-in", request, "-out", certificate];
    openssl("x509", "-req", ...signer, ...content);
    return { key: key ?? "", certificate: certificate ?? "" };
  }

  #selfSigned(name: string, subjectAltName: string): Certificate {
    const [key, certificate] = [this.#path(`${name}.key`), this.#path(`${name}.pem`)];
    const subject = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=${subjectAltName}`];
    openssl("req", "-x509", ...NEW_KEY, "-days", "2", ...subject, "-keyout", key, "-out", certificate);
    return { key, certificate };
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function openssl(...args: readonly (string | undefined)[]): void {
  const { exitCode, stderr } = Bun.spawnSync(["openssl", ...args.map((arg) => arg ?? "")]);
  if (exitCode !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr}`);
}
