import { VERSION } from "./shared/version.ts";

const argv = process.argv.slice(2);
if (argv.length === 1 && argv[0] === "--version") {
  // Answered before anything else is loaded.
  console.log(VERSION);
} else {
  const [{ run }, { systemContext }] = await Promise.all([import("./cli.ts"), import("./shared/system.ts")]);
  process.exit(await run(argv, systemContext()));
}
