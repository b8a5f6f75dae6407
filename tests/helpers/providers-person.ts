/** A person at a company of `providers.ts`, who types command lines. */
import { Database } from "bun:sqlite";
import { expect } from "bun:test";
import { join } from "node:path";
import type { Outcome } from "./binary.ts";
import type { Company } from "./providers.ts";
import { LOOPBACK_ORIGIN, Scratch } from "./scratch.ts";

/** In milliseconds. */
export const MINUTE = 60_000;

/** A person with a clone of acme/payments-api, and the company they work for. */
export class Person implements AsyncDisposable {
  readonly company: Company;
  readonly #place = new Scratch({ origin: LOOPBACK_ORIGIN });
  readonly #env: Readonly<Record<string, string>>;
  #said = "";

  constructor(company: Company, env: Readonly<Record<string, string>> = {}) {
    this.company = company;
    this.#env = env;
    // What is made at the provider is older than everything that happens here.
    company.simulator.setClock(Date.now() - 60 * MINUTE);
  }

  /** Runs a command line in this process. */
  async run(args: readonly string[], stdin = ""): Promise<Outcome> {
    return this.#heard(await this.#place.runHere(args, { env: this.#env, stdin }));
  }

  /** Runs the executable. */
  async runProcess(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Outcome> {
    return this.#heard(await this.#place.run(args, { env: { ...this.#env, ...env } }));
  }

  #heard(outcome: Outcome): Outcome {
    this.#said += outcome.stdout + outcome.stderr;
    return outcome;
  }

  connect(...flags: readonly string[]): Promise<Outcome> {
    const { provider, address, token } = this.company;
    return this.run(["host", "connect", provider, "--token-stdin", ...address, ...flags], `${token}\n`);
  }

  /** Connects, and binds the way that the provider's names allow. */
  async settle(): Promise<void> {
    expect(await this.connect()).toMatchObject({ code: 0, stderr: "" });
    expect(await this.bind()).toMatchObject({ code: 0 });
  }

  bind(): Promise<Outcome> {
    const { provider, binds } = this.company;
    return this.run(["bind", "--provider", provider, ...(binds === "alone" ? [] : ["--select", "1"])]);
  }

  push(...items: readonly object[]): Promise<Outcome> {
    return this.run(["sync", "push", "--items-json", "-", "--json"], JSON.stringify(items));
  }

  /** Lets what is done at the provider next be done now, or somewhat later. */
  later(milliseconds = 0): void {
    this.company.simulator.setClock(Date.now() + milliseconds);
  }

  writes(): number {
    return this.company.simulator.requests.filter((request) => this.company.isWrite(request)).length;
  }

  get reference(): string {
    return /binding_ref: (\S+)/.exec(this.#place.config() ?? "")?.[1] ?? "";
  }

  /** The embedded control plane's own. */
  database(): Database {
    return new Database(join(this.#place.home, ".local", "state", "tracker", "host.db"));
  }

  /** Fails when any of the secrets was said, or is in a file. */
  expectSecretless(secrets: readonly string[] = this.company.secrets): void {
    const files = [...this.#place.files(this.#place.root)];
    for (const secret of secrets) {
      expect(this.#said).not.toContain(secret);
      expect(files.filter(([, text]) => text.includes(secret)).map(([path]) => path)).toEqual([]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#place[Symbol.dispose]();
    await this.company.simulator.stop();
  }
}
