/** A host in a process of its own, for tests that kill it: prints one line of JSON when it listens. */
import { startServer } from "../../src/host/index.ts";

const [databasePath = ""] = process.argv.slice(2);
const { url, ownerToken } = await startServer({
  databasePath,
  port: 0,
  allowPrivateNetwork: true,
  log: () => {},
  now: Date.now,
  version: "0.0.0",
});
process.stdout.write(`${JSON.stringify({ url, ownerToken })}\n`);
