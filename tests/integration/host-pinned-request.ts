/** Sends one pinned request, in a process of its own because certificates are trusted per process: prints the answer, or the code of the failure. */
import { pinnedFetch } from "../../src/host/connections/network.ts";

const [url = "", address = ""] = process.argv.slice(2);
const request = new Request(url, {
  method: "POST",
  headers: { "x-fact": "kept" },
  body: "content",
  redirect: "manual",
});
const told = await pinnedFetch(address)(request).then(
  (answer) => answer.text(),
  (error: unknown) => (error instanceof Error && "code" in error ? String(error.code) : String(error)),
);
process.stdout.write(told);
