import { expect, test } from "bun:test";
import { Background } from "../../../src/host/jobs/background.ts";

const INTERRUPTED = "The operation was interrupted; run it again.";

test("waiting ends when the host stops, whether it began before or after", async () => {
  const background = new Background();
  const early = background.track(background.interruptible(new Promise(() => {})));
  const failure = early.catch((error: unknown) => String(error));
  await background.stop(0);
  expect(await failure).toContain(INTERRUPTED);
  await expect(background.interruptible(new Promise(() => {}))).rejects.toThrow(INTERRUPTED);
});

test("what ends in time is not interrupted, and what it began last is waited for", async () => {
  const background = new Background();
  const steps: string[] = [];
  const { promise: asked, resolve: answer } = Promise.withResolvers<string>();
  background.track(
    background.interruptible(asked).then((text) => {
      steps.push(text);
      background.track(Promise.resolve().then(() => steps.push("written")));
    }),
  );
  const stopped = background.stop(60_000);
  answer("answered");
  await stopped;
  expect(steps).toEqual(["answered", "written"]);
});

test("a failure is its owner's to hear, and keeps nobody waiting", async () => {
  const background = new Background();
  const task = background.track(Promise.reject(new Error("no")));
  await background.settled();
  await expect(task).rejects.toThrow("no");
});
