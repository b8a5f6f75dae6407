import { homedir, hostname, userInfo } from "node:os";
import type { Context, Machine } from "./context.ts";
import { systemIo } from "./io.ts";
import { systemFetch } from "./network.ts";

/** The context of this process: its real streams, clock, network and machine. */
export function systemContext(): Context {
  const env = process.env;
  // The yaml package prints its tokens when it finds these.
  delete env.LOG_TOKENS;
  delete env.LOG_STREAM;
  let stop: (() => void) | null = null;
  const onSignal = (exitCode: number) => () => {
    if (stop === null) process.exit(exitCode);
    stop();
  };
  process.on("SIGINT", onSignal(130));
  process.on("SIGTERM", onSignal(143));
  return {
    io: systemIo(env),
    env,
    cwd: process.cwd(),
    machine: systemMachine(),
    nature: { now: Date.now, sleep: (milliseconds) => Bun.sleep(milliseconds), random: Math.random },
    fetch: systemFetch(env),
    onStop: (handler) => {
      stop = handler;
    },
  };
}

function systemMachine(): Machine {
  return {
    platform: process.platform,
    architecture: process.arch,
    homeDirectory: process.env.HOME ?? homedir(),
    get hostName() {
      return hostname();
    },
    get userName() {
      return process.env.LOGNAME ?? process.env.USER ?? userInfo().username;
    },
  };
}
