import { expect, test } from "bun:test";
import type { FailedEvent } from "../../../src/sdk/engine/events.ts";
import { outcomeOf } from "../../../src/sync/outcome.ts";

const failure = (field: FailedEvent["fields"][number], message: string): FailedEvent => ({
  kind: "failed",
  side: "remote",
  key: "1",
  ref: null,
  fields: [field],
  failureClass: "invalid",
  retryable: false,
  retryAfterSeconds: null,
  message,
});

test("what is wrong with several fields is told once", () => {
  const events = [
    failure("labels", "Labels have no spaces."),
    failure("title", "Labels have no spaces."),
    failure("body", "The body is too long."),
  ];
  expect(outcomeOf(events)).toMatchObject({
    outcome: "rejected",
    message: "Labels have no spaces. The body is too long.",
    refused: ["labels", "title", "body"],
  });
});
