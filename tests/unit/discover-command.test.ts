/** `tracker discover`, in memory: what it says about the project it is run in. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { CommandLine } from "../helpers/command-line.ts";

const BASE = "/api/v1/tracker";

let person: CommandLine;
beforeEach(() => {
  person = new CommandLine();
});
afterEach(() => {
  person[Symbol.dispose]();
  person.stubs.verify();
});

test.each([
  ["this very resource", "srm_1", "srm_1", "This project is bound to Payments (PAY).\n"],
  ["nothing", null, "srm_1", "`tracker bind --provider linear` binds to Payments (PAY).\n"],
  ["another one", "srm_0", "srm_1", "`tracker bind --provider linear` binds to Payments (PAY).\n"],
  ["one that nobody bound", null, null, "`tracker bind --provider linear` binds to Payments (PAY).\n"],
])("in a project that is bound to %s", async (_name, bound, exact, line) => {
  person.config = bound === null ? "" : `tracker:\n  provider: linear\n  binding_ref: ${bound}\n`;
  const display_label = "Payments (PAY)";
  const resource = { candidate_token: "c", display_label, provider: "linear", binding_ref: exact };
  const resolution = { match_type: "exact", candidate_token: "c", display_label, binding_ref: exact };
  person.stubs
    .on("GET", `${BASE}/resources/?provider=linear&limit=500`, Response.json({ resources: [resource] }))
    .on("POST", `${BASE}/bind-resolve/`, Response.json(resolution));
  const { code, err } = await person.run(["discover", "--provider", "linear"]);
  expect(code).toBe(0);
  expect(err).toBe(line);
});
