import { VERSION } from "./shared/version.ts";

/** A run that takes longer is worth compiling; the executable starts with a reluctant compiler. */
const LONG_RUN_MS = 500;

const argv = process.argv.slice(2);
if (argv.length === 1 && argv[0] === "--version") {
  // Answered before anything else is loaded.
  console.log(VERSION);
} else {
  setTimeout(() => Bun.unsafe.setJITPolicy(1), LONG_RUN_MS).unref();
  const [{ run }, { systemContext }] = await Promise.all([import("./cli.ts"), import("./shared/system.ts")]);
  process.exit(await run(argv, systemContext()));
}
