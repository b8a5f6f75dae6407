/** A beads tracker in a scratch folder, for the connector contract: of the simulator, or of the real `bd`. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { BeadsApi } from "../../../src/sdk/connectors/beads/api.ts";
import { beadsOptions } from "../../../src/sdk/connectors/beads/index.ts";
import {
  Program,
  type ProgramOptions,
  type ProgramResult,
} from "../../../src/sdk/connectors/shared/program.ts";
import { ProviderConnector } from "../../../src/sdk/connectors/shared/provider-connector.ts";
import { BEADS_FILE, type BeadsStore, runBeads } from "../../simulators/beads.ts";
import { type ConnectorSubject, SAMPLE } from "../connector-contract.ts";

/** A program that counts its runs. */
export class CountingProgram extends Program {
  runs = 0;

  override run(args: readonly string[], stdin?: string): Promise<ProgramResult> {
    this.runs++;
    return super.run(args, stdin);
  }
}

/** A simulated program that runs in this process. */
export class ProgramInMemory extends CountingProgram {
  readonly #simulate: (args: readonly string[], stdin: string) => ProgramResult;

  constructor(options: ProgramOptions, simulate: (args: readonly string[], stdin: string) => ProgramResult) {
    super(options);
    this.#simulate = simulate;
  }

  override async run(args: readonly string[], stdin = ""): Promise<ProgramResult> {
    this.runs++;
    return this.#simulate(args, stdin);
  }
}

/** A scratch folder with programs of its own on PATH; disposed of with everything in it. */
export class ProgramScratch implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "tracker-program-"));
  readonly environment: Readonly<Record<string, string>>;
  /** Outside of the folder: a program of the project itself is never run. */
  readonly #bin = mkdtempSync(join(tmpdir(), "tracker-bin-"));

  constructor() {
    this.environment = {
      PATH: [this.#bin, process.env.PATH ?? ""].join(delimiter),
      HOME: this.folder,
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_AUTHOR_NAME: "Ada",
      GIT_AUTHOR_EMAIL: "ada@example.com",
      GIT_COMMITTER_NAME: "Ada",
      GIT_COMMITTER_EMAIL: "ada@example.com",
    };
  }

  /** Puts a shell script on PATH. */
  install(name: string, script: string): string {
    const path = join(this.#bin, name);
    writeFileSync(path, `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
    return path;
  }

  /** Puts a program on PATH that is a script of this repository. */
  installScript(name: string, file: string): void {
    this.install(name, `exec "${process.execPath}" "${file}" "$@"`);
  }

  /** Runs a program here, as somebody else would. */
  run(command: readonly string[]): string {
    const { exitCode, stdout, stderr } = Bun.spawnSync([...command], {
      cwd: this.folder,
      env: this.environment,
    });
    if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stdout}${stderr}`);
    return stdout.toString();
  }

  [Symbol.dispose](): void {
    for (const folder of [this.folder, this.#bin]) rmSync(folder, { recursive: true, force: true });
  }
}

/** The simulated tracker of one folder. */
export class SimulatedBeads extends ProgramScratch {
  constructor() {
    super();
    this.installScript("bd", join(import.meta.dir, "..", "..", "simulators", "beads.ts"));
    mkdirSync(join(this.folder, ".beads"));
    this.change((store) => store, {
      prefix: "pay",
      now: Date.parse("2026-03-01T09:00:00Z"),
      created: 0,
      statuses: {},
      issues: [],
    });
  }

  get store(): BeadsStore {
    return JSON.parse(readFileSync(join(this.folder, BEADS_FILE), "utf8"));
  }

  change(edit: (store: BeadsStore) => unknown, store = this.store): void {
    edit(store);
    writeFileSync(join(this.folder, BEADS_FILE), JSON.stringify(store));
  }

  tick(): void {
    this.change((store) => {
      store.now += 1000;
    });
  }
}

/** The options of the program `bd` of a scratch folder. */
function bdOptions({ folder, environment }: ProgramScratch): ProgramOptions {
  return beadsOptions({ workspace: "payments", command: "bd", cwd: folder }, environment);
}

/** The program `bd` of a scratch folder, counted. */
export function countedBd(scratch: ProgramScratch): CountingProgram {
  return new CountingProgram(bdOptions(scratch));
}

/** A subject over the simulator, in this process. */
export async function beadsSubject(): Promise<ConnectorSubject> {
  const scratch = new SimulatedBeads();
  const run = (args: readonly string[], stdin = "") =>
    runBeads(args, { cwd: scratch.folder, stdin: () => stdin, isEnveloped: true });
  return subjectOf({
    program: new ProgramInMemory(bdOptions(scratch), run),
    scratch,
    tick: () => scratch.tick(),
    bd: run,
  });
}

/** A subject over the real `bd`, which has to be on PATH. Its clock shows seconds, and cannot be set. */
export async function realBeadsSubject(): Promise<ConnectorSubject> {
  const scratch = new ProgramScratch();
  scratch.run(["git", "init", "--quiet"]);
  scratch.run(["bd", "init", "--quiet", "--prefix", "pay"]);
  if (!existsSync(join(scratch.folder, ".beads"))) throw new Error("bd init made no tracker");
  return subjectOf({
    program: countedBd(scratch),
    scratch,
    tick: () => Bun.sleep(1100),
    bd: (args) => scratch.run(["bd", ...args]),
  });
}

interface SubjectParts {
  readonly program: CountingProgram;
  readonly scratch: ProgramScratch;
  readonly tick: () => void | Promise<void>;
  /** Runs `bd` as another person. */
  readonly bd: (args: readonly string[]) => unknown;
}

function subjectOf({ program, scratch, tick, bd }: SubjectParts): ConnectorSubject {
  return {
    connector: new ProviderConnector(new BeadsApi(program, "payments")),
    sample: { ...SAMPLE, issueType: "bug", priority: 2 },
    changed: { labels: ["api"], issueType: "story", priority: 4, customFields: { effort: 3 } },
    people: ["ada", "grace"],
    absent: { system: "beads", workspace: "payments", id: "pay-absent" },
    from: null,
    keyOf: ({ id }) => id.toUpperCase(),
    events: "refused",
    requests: () => program.runs,
    tick,
    edit: async ({ id }, { title }) => {
      bd(["update", id, `--title=${title}`]);
    },
    remove: async ({ id }) => {
      bd(["delete", id, "--force"]);
    },
    close: async () => scratch[Symbol.dispose](),
  };
}
