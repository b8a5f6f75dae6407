import { describe, expect, test } from "bun:test";
import { withConsent } from "../../src/cli/commands/sync/consent.ts";
import { TrackerError } from "../../src/shared/errors.ts";
import { memoryIo } from "../../src/shared/io.ts";

const MESSAGE = "The config directs writes to Pay\u001b[2Jments.";

/** A write that is refused until the binding is accepted. */
async function attempt({ answer, yes = false }: { readonly answer?: string; readonly yes?: boolean }) {
  const io = memoryIo({ ...(answer !== undefined && { stdin: `${answer}\n`, terminalColumns: 80 }) });
  let isTrusted = false;
  const service = {
    trustBinding: async () => {
      isTrusted = true;
    },
  };
  const result = await withConsent({ io }, service, yes, async () => {
    if (!isTrusted) throw new TrackerError("untrusted_binding", MESSAGE);
    return "written";
  }).catch((error: unknown) => (error instanceof TrackerError ? error.code : error));
  return { result, isTrusted, err: io.err() };
}

describe("a write to a resource that the remote does not name", () => {
  test("is refused where no prompt is possible", async () => {
    expect(await attempt({})).toEqual({ result: "untrusted_binding", isTrusted: false, err: "" });
  });

  test("follows --yes without a question", async () => {
    expect(await attempt({ yes: true })).toEqual({ result: "written", isTrusted: true, err: "" });
    expect(await attempt({ yes: true, answer: "" })).toMatchObject({ result: "written", err: "" });
  });

  test("follows the answer, and silence is no", async () => {
    expect(await attempt({ answer: "y" })).toMatchObject({ result: "written", isTrusted: true });
    expect(await attempt({ answer: "n" })).toMatchObject({ result: "untrusted_binding", isTrusted: false });
    expect(await attempt({ answer: "" })).toMatchObject({ result: "untrusted_binding", isTrusted: false });
  });

  test("is described without the control characters of a resource's name", async () => {
    const { err } = await attempt({ answer: "n" });
    expect(err).toContain("directs writes to Pay");
    expect(err).not.toContain("\u001b");
  });
});

test("another failure is passed on without a question", async () => {
  const io = memoryIo({ stdin: "y\n", terminalColumns: 80 });
  const service = { trustBinding: async () => {} };
  const failing = withConsent({ io }, service, true, () =>
    Promise.reject(new TrackerError("not_bound", "No.")),
  );
  expect(await failing.catch((error: unknown) => error)).toMatchObject({ code: "not_bound" });
  expect(io.err()).toBe("");
});
