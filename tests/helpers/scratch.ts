import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DEADLINE_MS, type Outcome, runBinary } from "./binary.ts";
import { type TerminalRunOptions, TerminalSession } from "./terminal.ts";

/** The `origin` of a scratch repository unless a test says otherwise. */
const ORIGIN = "git@github.com:acme/payments-api.git";

/** What a run adds to the scratch folder's own settings. */
interface ScratchRun {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: string;
  /** How long it may take, in ms. */
  readonly deadline?: number;
}

/** What {@link Scratch} starts with. */
interface ScratchOptions {
  /** URL of the `origin` remote; null for none. */
  readonly origin?: string | null;
  /** Text of `.kittify/config.yaml`; there is none by default. */
  readonly config?: string;
  /** Added to the environment of every run. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A person with an empty home and one git repository, removed again on disposal. */
export class Scratch implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), "tracker-acceptance-"));
  readonly home = join(this.root, "home");
  readonly repository = join(this.root, "payments-api");
  readonly configPath = join(this.repository, ".kittify", "config.yaml");
  /** The clean environment of every run. */
  readonly env: Readonly<Record<string, string>>;

  constructor({ origin = ORIGIN, config, env = {} }: ScratchOptions = {}) {
    this.env = {
      PATH: process.env.PATH ?? "",
      HOME: this.home,
      LANG: "C.UTF-8",
      TERM: "xterm-256color",
      ...env,
    };
    mkdirSync(this.home);
    mkdirSync(this.repository);
    const made = Bun.spawnSync(["git", "init", "--quiet", "--template=", this.repository], {
      env: { ...this.env, GIT_CONFIG_NOSYSTEM: "1" },
    });
    if (!made.success) throw new Error(`git init failed: ${made.stderr.toString()}`);
    if (origin !== null) {
      this.write(".git/config", `${this.read(".git/config")}[remote "origin"]\n\turl = ${origin}\n`);
    }
    if (config !== undefined) this.write(".kittify/config.yaml", config);
  }

  /** Runs the executable over pipes, in the repository unless told otherwise. */
  run(
    args: readonly string[],
    { env = {}, cwd = this.repository, stdin = "", deadline = DEADLINE_MS }: ScratchRun = {},
  ): Promise<Outcome> {
    return runBinary(args, { cwd, env: { ...this.env, ...env }, stdin, deadline });
  }

  /** Runs the executable in a terminal, in the repository unless told otherwise. */
  open(
    args: readonly string[],
    { env = {}, ...options }: Partial<Omit<TerminalRunOptions, "cwd">> = {},
  ): TerminalSession {
    return new TerminalSession(args, { cwd: this.repository, env: { ...this.env, ...env }, ...options });
  }

  /** The text of the project's config, or null when there is no such file. */
  config(): string | null {
    return existsSync(this.configPath) ? readFileSync(this.configPath, "utf8") : null;
  }

  /** Writes a file of the repository, with its folders. */
  write(path: string, text: string): void {
    const file = join(this.repository, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }

  /** Reads a file of the repository. */
  read(path: string): string {
    return readFileSync(join(this.repository, path), "utf8");
  }

  /** Every file below `folder` with its text, by path. */
  files(folder: string = this.repository): Map<string, string> {
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    return new Map(files.toSorted().map((path) => [path, readFileSync(path, "latin1")]));
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
