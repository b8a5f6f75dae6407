import type { TrackerConnector } from "../../src/sdk/connector.ts";
import { collect, SyncEngine, type SyncResult } from "../../src/sdk/engine.ts";
import { MemoryIssueStore } from "../../src/sdk/stores/memory.ts";
import type { Simulator } from "../simulators/server.ts";

/** An engine over a connector to a simulator, by the simulator's clock. */
export function simulatedEngine(connector: TrackerConnector, simulator: Simulator) {
  // The engine's keys tell when they were made, and how far back an issue of theirs is looked for.
  simulator.setClock(Date.now());
  const store = new MemoryIssueStore();
  const engine = new SyncEngine({
    connector,
    store,
    policy: { mode: "split_ownership", strategy: "newer_timestamp" },
    now: () => new Date(simulator.now()),
    sleep: async (milliseconds) => simulator.tick(milliseconds),
  });
  /** One sync, ten minutes later. */
  const sync = (): Promise<SyncResult> => {
    simulator.tick(10 * 60_000);
    return collect(engine.sync());
  };
  return { store, engine, sync };
}
