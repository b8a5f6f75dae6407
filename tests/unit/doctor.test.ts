/** `tracker doctor`, in memory: what it says about the binding. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { CommandLine } from "../helpers/command-line.ts";

const BASE = "/api/v1/tracker";

let person: CommandLine;
beforeEach(() => {
  person = new CommandLine();
  person.config = "tracker:\n  provider: linear\n  binding_ref: srm_1\n";
  person.stubs
    .on("GET", `${BASE}/health/`, Response.json({ status: "ok" }))
    .on("GET", "/api/v1/me", Response.json({ user_id: "u-1", teams: [{ id: "t-1", slug: "acme" }] }));
});
afterEach(() => {
  person[Symbol.dispose]();
  person.stubs.verify();
});

/** What is said about a binding that the control plane answers this about. */
async function bindingCheck(validation: object, status: object | null): Promise<unknown> {
  person.stubs.on("POST", `${BASE}/bind-validate/`, Response.json({ binding_ref: "srm_1", ...validation }));
  if (status !== null) {
    person.stubs.on("GET", `${BASE}/status/?provider=linear&binding_ref=srm_1`, Response.json(status));
  }
  const { out } = await person.run(["doctor", "--json"]);
  const { checks }: { readonly checks: readonly { readonly name: string }[] } = JSON.parse(out);
  return checks.find(({ name }) => name === "binding");
}

describe("the binding", () => {
  test.each([{ connected: true }, {}])("is valid when its provider is connected: %j", async (status) => {
    expect(await bindingCheck({ valid: true }, status)).toMatchObject({
      outcome: "ok",
      message: "srm_1 is valid",
    });
  });

  test("can do nothing without its connection", async () => {
    expect(await bindingCheck({ valid: true }, { connected: false })).toMatchObject({
      outcome: "failed",
      message: "srm_1 is valid, but Linear is not connected",
      hint: "Connect it: tracker host connect linear",
    });
  });

  test("that is not valid is to be bound again", async () => {
    expect(await bindingCheck({ valid: false, reason: "mapping_deleted" }, null)).toMatchObject({
      outcome: "failed",
      message: "srm_1: mapping_deleted",
      hint: "Bind again: `tracker bind --provider linear --yes`. If the binding belongs to another control plane than https://tracker.example, name that: --host URL",
    });
  });
});
