/** A simulated fp project in a scratch folder, for the connector contract. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FpApi } from "../../../src/sdk/connectors/fp/api.ts";
import { fpOptions } from "../../../src/sdk/connectors/fp/index.ts";
import type { ProgramOptions } from "../../../src/sdk/connectors/shared/program.ts";
import { ProviderConnector } from "../../../src/sdk/connectors/shared/provider-connector.ts";
import { FP_FILE, type FpStore, runFp } from "../../simulators/fp.ts";
import { type ConnectorSubject, SAMPLE } from "../connector-contract.ts";
import { CountingProgram, ProgramInMemory, ProgramScratch } from "./beads.ts";

/** The simulated project of one folder. */
export class SimulatedFp extends ProgramScratch {
  constructor() {
    super();
    this.installScript("fp", join(import.meta.dir, "..", "..", "simulators", "fp.ts"));
    mkdirSync(join(this.folder, ".fp"));
    this.change((store) => store, {
      prefix: "PAY",
      now: Date.parse("2026-03-01T09:00:00Z"),
      created: 0,
      statuses: ["todo", "in-progress", "done"],
      issues: [],
    });
  }

  get store(): FpStore {
    return JSON.parse(readFileSync(join(this.folder, FP_FILE), "utf8"));
  }

  change(edit: (store: FpStore) => unknown, store = this.store): void {
    edit(store);
    writeFileSync(join(this.folder, FP_FILE), JSON.stringify(store));
  }

  tick(): void {
    this.change((store) => {
      store.now += 1000;
    });
  }
}

function optionsOf({ folder, environment }: ProgramScratch): ProgramOptions {
  return fpOptions({ workspace: "payments", command: "fp", cwd: folder }, environment);
}

/** The program `fp` of a scratch folder, counted. */
export function countedFp(scratch: ProgramScratch): CountingProgram {
  return new CountingProgram(optionsOf(scratch));
}

/** A subject over the simulator, in this process. */
export async function fpSubject(): Promise<ConnectorSubject> {
  const scratch = new SimulatedFp();
  const run = (args: readonly string[]) => runFp(args, scratch.folder);
  const program = new ProgramInMemory(optionsOf(scratch), run);
  return {
    connector: new ProviderConnector(new FpApi(program, "payments")),
    sample: { ...SAMPLE, priority: 2, labels: [] },
    changed: { labels: [], issueType: "bug", priority: 4, customFields: { effort: 3 } },
    people: ["ada", "grace"],
    absent: { system: "fp", workspace: "payments", id: "absent" },
    from: null,
    keyOf: ({ id }) => `PAY-${id.slice(0, 8)}`,
    events: "refused",
    requests: () => program.runs,
    tick: () => scratch.tick(),
    edit: async ({ id }, { title }) => {
      run(["issue", "update", "--title", title ?? "", id]);
    },
    remove: async ({ id }) => {
      run(["issue", "delete", id]);
    },
    close: async () => scratch[Symbol.dispose](),
  };
}
