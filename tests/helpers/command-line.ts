import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../src/cli.ts";
import { type Io, memoryIo } from "../../src/shared/io.ts";
import { HttpStubs, STUB_URL, StubbedNature } from "./http-stubs.ts";

/** How a command line is run. */
export interface MemoryRun {
  readonly stdin?: string;
  /** Added to an environment that knows the control plane and a token for it. */
  readonly env?: Readonly<Record<string, string>>;
  /** All streams are a terminal of this width; pipes by default. */
  readonly terminalColumns?: number;
  /** Changes the streams. */
  readonly adapt?: (io: Io) => Io;
  /** Is given what Ctrl-C does. */
  readonly onStop?: (stop: (() => void) | null) => void;
}

/** A person with an empty folder and a control plane whose every answer is scripted, all but the folder in memory. */
export class CommandLine implements Disposable {
  readonly stubs = new HttpStubs();
  readonly folder = mkdtempSync(join(tmpdir(), "tracker-command-line-"));

  /** Runs a command line; the clock moves by waiting alone. */
  async run(
    args: readonly string[],
    { stdin = "", env = {}, terminalColumns, adapt = (io) => io, onStop = () => {} }: MemoryRun = {},
  ): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
    const settings = {
      TRACKER_HOME: join(this.folder, "tracker"),
      TRACKER_HOST: STUB_URL,
      TRACKER_TOKEN: "trk_1",
      TRACKER_TEAM: "acme",
      NO_COLOR: "1",
      ...env,
    };
    const io = memoryIo({
      stdin,
      env: settings,
      ...(terminalColumns === undefined ? {} : { terminalColumns }),
    });
    const code = await run(args, {
      io: adapt(io),
      env: settings,
      cwd: this.folder,
      machine: {
        platform: "linux",
        architecture: "x64",
        homeDirectory: join(this.folder, "home"),
        userId: process.getuid?.(),
        hostName: "workshop",
        userName: "ada",
      },
      timing: new StubbedNature(),
      fetch: this.stubs.fetch,
      onStop,
    });
    return { code, out: io.out(), err: io.err() };
  }

  /** The parsed bodies of all requests that had one. */
  sent(): unknown[] {
    return this.stubs.requests.flatMap(({ text }) => (text === null ? [] : [JSON.parse(text)]));
  }

  /** The text of the project's config. */
  get config(): string {
    return readFileSync(this.#configPath, "utf8");
  }

  /** Makes the folder a project with this config. */
  set config(text: string) {
    mkdirSync(join(this.folder, ".kittify"), { recursive: true });
    writeFileSync(this.#configPath, text);
  }

  get #configPath(): string {
    return join(this.folder, ".kittify", "config.yaml");
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
