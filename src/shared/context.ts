import type { Environment, Io } from "./io.ts";
import type { Fetch } from "./network.ts";

/** The machine, and the person who runs the program. */
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

/** The time and chance that a run depends on; tests hold their own. */
export interface Nature {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Waits `milliseconds`. */
  readonly sleep: (milliseconds: number) => Promise<void>;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** Everything that a run of the command line depends on; nothing is read from globals. */
export interface Context {
  readonly io: Io;
  readonly env: Environment;
  /** Absolute path of the current directory. */
  readonly cwd: string;
  readonly machine: Machine;
  readonly nature: Nature;
  readonly fetch: Fetch;
  /**
   * Calls `stop` on the next SIGINT or SIGTERM instead of ending the process at
   * once; the one after that ends it. Null takes that back.
   */
  readonly onStop: (stop: (() => void) | null) => void;
}
