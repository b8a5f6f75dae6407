import type { Environment, Io } from "./io.ts";
import type { Fetch } from "./network.ts";

export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly architecture: string;
  /** Absolute path; null where the environment and the account name none, or the root folder. */
  readonly homeDirectory: string | null;
  readonly hostName: string;
  readonly userName: string;
  /** Id of the user that the process runs as; undefined on Windows. */
  readonly userId: number | undefined;
}

/** The time and the random numbers that a run depends on; tests pass their own. */
export interface Timing {
  readonly now: () => number;
  readonly sleep: (milliseconds: number) => Promise<void>;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** Everything that a run of the command line depends on; nothing is read from globals. */
export interface Context {
  readonly io: Io;
  readonly env: Environment;
  readonly cwd: string;
  readonly machine: Machine;
  readonly timing: Timing;
  readonly fetch: Fetch;
  /**
   * Calls `stop` on the next SIGINT or SIGTERM instead of ending the process; the signal after that ends it. Null
   * undoes that.
   */
  readonly onStop: (stop: (() => void) | null) => void;
}
