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
import { run } from "../../src/cli.ts";
import { memoryIo } from "../../src/shared/io.ts";
import { type Fetch, systemFetch } from "../../src/shared/network.ts";
import { DEADLINE_MS, type Outcome, runBinary } from "./binary.ts";
import { type TerminalRunOptions, TerminalSession } from "./terminal.ts";

/** The `origin` of a scratch repository unless a test says otherwise. */
const ORIGIN = "git@github.com:acme/payments-api.git";

/** The same repository on a simulator of this machine, whichever port it has. */
export const LOOPBACK_ORIGIN = "git@127.0.0.1:acme/payments-api.git";

/** What a run adds to the scratch folder's own settings. */
interface ScratchRun {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: string;
  /** How long it may take, in ms. */
  readonly deadline?: number;
}

/** What a run in this process adds to them. */
interface HereRun extends Omit<ScratchRun, "deadline"> {
  /** All streams are a terminal of this width; pipes by default. */
  readonly terminalColumns?: number;
  /** Answers in place of the network. */
  readonly fetch?: Fetch;
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
    // What `git init` makes, without its process.
    for (const folder of ["objects", "refs"])
      mkdirSync(join(this.repository, ".git", folder), { recursive: true });
    this.write(".git/HEAD", "ref: refs/heads/main\n");
    const remote = origin === null ? "" : `[remote "origin"]\n\turl = ${origin}\n`;
    this.write(".git/config", `[core]\n\trepositoryformatversion = 0\n\tbare = false\n${remote}`);
    if (config !== undefined) this.write(".kittify/config.yaml", config);
  }

  /** Runs the executable over pipes, in the repository unless told otherwise. */
  run(
    args: readonly string[],
    { env = {}, cwd = this.repository, stdin = "", deadline = DEADLINE_MS }: ScratchRun = {},
  ): Promise<Outcome> {
    return runBinary(args, { cwd, env: { ...this.env, ...env }, stdin, deadline });
  }

  /** Runs the command line in this process, over the real network by default. Its own waits take no time. */
  async runHere(
    args: readonly string[],
    { env = {}, cwd = this.repository, stdin = "", terminalColumns, fetch }: HereRun = {},
  ): Promise<Outcome> {
    const whole = { ...this.env, ...env };
    const io = memoryIo({ stdin, env: whole, ...(terminalColumns === undefined ? {} : { terminalColumns }) });
    const code = await run(args, {
      io,
      env: whole,
      cwd,
      machine: {
        platform: process.platform,
        architecture: process.arch,
        homeDirectory: this.home,
        hostName: "workshop",
        userName: "ada",
        userId: process.getuid?.(),
      },
      timing: { now: Date.now, sleep: async () => {}, random: Math.random },
      fetch: fetch ?? systemFetch(whole),
      onStop: () => {},
    });
    return { code, stdout: io.out(), stderr: io.err() };
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
