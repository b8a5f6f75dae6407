import { run } from "./cli.ts";
import { systemContext } from "./shared/system.ts";

process.exit(await run(process.argv.slice(2), systemContext()));
