import { describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import * as v from "valibot";
import {
  assertScope,
  ListQuery,
  parseArgument,
  parsePayload,
  ReadableText,
  SearchQuery,
  UpdatePatch,
} from "../../../src/sdk/connectors/shared/arguments.ts";
import { cursorText, readCursor } from "../../../src/sdk/connectors/shared/cursor.ts";
import { earliestUse, markOf, readMark, withMark } from "../../../src/sdk/connectors/shared/marker.ts";
import { nativeStatus } from "../../../src/sdk/connectors/shared/statuses.ts";
import {
  ConnectorRequestError,
  IssuePayloadContractError,
  ScopeViolationError,
} from "../../../src/sdk/errors.ts";
import { cpuMs } from "../../helpers/cpu-time.ts";

describe("marks", () => {
  const key = fc.string({ minLength: 1, unit: "binary" });
  const text = fc
    .array(
      fc.oneof(
        fc.string({ unit: "binary" }),
        fc.constantFrom("\n", "\r\n", "\r", " ", "\t", "<!-- mine -->", "<!-- tracker:", " -->", "\u00a0"),
        key.map((other) => withMark("", markOf(other))),
      ),
      { maxLength: 8 },
    )
    .map((parts) => parts.join(""));

  test("come off again, whatever the text and the key, and leave the text as it was", () => {
    fc.assert(
      fc.property(text, key, (body, idempotencyKey) => {
        const mark = markOf(idempotencyKey);
        expect(readMark(withMark(body, mark))).toEqual({ text: body, mark });
      }),
      { numRuns: 2000 },
    );
  });

  test("are one per key", () => {
    fc.assert(
      fc.property(key, key, (one, other) => {
        expect(markOf(one) === markOf(other)).toBe(one === other);
        expect(markOf(one)).toMatch(/^[0-9a-f]{32}$/);
      }),
    );
  });

  test("stand alone where there is no text", () => {
    const mark = markOf("k");
    expect(withMark(null, mark)).toBe(withMark("", mark));
    expect(withMark(null, mark)).toStartWith("<!--");
    expect(readMark(withMark(null, mark))).toEqual({ text: "", mark });
  });

  test.each([
    ["web editor's line ends", (marked: string) => marked.replaceAll("\n", "\r\n"), "Steps:\r\n\r\n1. Run"],
    ["line breaks after it", (marked: string) => `${marked}\r\n\n`, "Steps:\n\n1. Run"],
    [
      "one line break before it only",
      (marked: string) => marked.replace("\n\n<!--", "\n<!--"),
      "Steps:\n\n1. Run",
    ],
    ["nothing before it", (marked: string) => marked.replace("\n\n<!--", "<!--"), "Steps:\n\n1. Run"],
  ])("survive %s", (_, rewrite, text) => {
    const mark = markOf("k");
    expect(readMark(rewrite(withMark("Steps:\n\n1. Run", mark)))).toEqual({ text, mark });
  });

  test.each([
    "",
    "Nothing here",
    "<!-- Describe the problem -->",
    "Text\n\n<!-- tracker: what people write -->",
    `Text\n\n<!-- tracker:${"g".repeat(32)} -->`,
    `Text\n\n<!-- tracker:${"a".repeat(31)} -->`,
    `<!-- tracker:${"a".repeat(32)} -->\n\nText below it`,
  ])("are not seen in a person's own text: %j", (body) => {
    expect(readMark(body)).toEqual({ text: body, mark: null });
  });

  test("are looked for in time that grows with the text only", async () => {
    const hostile = `${"\r\n".repeat(200_000)}${`<!-- tracker:${"a".repeat(32)} -->${" ".repeat(50)}x`.repeat(2000)}`;
    expect(await cpuMs(() => expect(readMark(hostile).mark).toBeNull())).toBeLessThan(1000);
  });
});

describe("the earliest use of a key", () => {
  test("is a day before a version 7 UUID was made, for clocks that differ", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: Date.parse("2200-01-01T00:00:00Z") }), (made) => {
        expect(earliestUse(Bun.randomUUIDv7("hex", made))).toBe(new Date(made - 86_400_000).toISOString());
      }),
    );
  });

  test("does not depend on the case of the UUID", () => {
    const uuid = Bun.randomUUIDv7();
    expect(earliestUse(uuid.toUpperCase())).toBe(earliestUse(uuid));
  });

  test.each([
    "key-1",
    "",
    crypto.randomUUID(),
    `${Bun.randomUUIDv7()} `,
    `x${Bun.randomUUIDv7()}`,
    // Version 7, but not of RFC 9562's variant.
    "01957b6e-2f4a-7abc-0def-0123456789ab",
  ])("is not known of %j", (idempotencyKey) => {
    expect(earliestUse(idempotencyKey)).toBeNull();
  });
});

describe("cursors", () => {
  const invalid = { provider: "github", failureClass: "invalid", retryable: false };

  test("give back the place they were made of, to the same question only", () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.string(),
        // Names that lead into a prototype are left out when JSON is read; no place has any.
        fc
          .jsonValue({ noUnicodeString: false })
          .filter((json) => !/"(__proto__|prototype|constructor)":/.test(JSON.stringify(json))),
        (question, other, json) => {
          // Places have no such members, which valibot leaves out of a record.
          const place = JSON.parse(JSON.stringify(json), (name, value) =>
            /^(__proto__|prototype|constructor)$/.test(name) ? undefined : value,
          );
          const cursor = cursorText(question, place);
          expect(cursor).toMatch(/^[\w-]+$/);
          expect(readCursor("github", question, cursor)).toEqual(place);
          if (other !== question) {
            expect(thrownBy(() => readCursor("github", other, cursor))).toMatchObject(invalid);
          }
        },
      ),
    );
  });

  test("are none at the start", () => {
    expect(readCursor("github", "q", undefined)).toBeNull();
  });

  test.each([
    "",
    "page 2",
    "eyJ4IjoxfQ",
    `${cursorText("q", 1)}x`,
    Buffer.from('{"question":"q"}').toString("base64url"),
    Buffer.from('{"question":"q","place":1,"more":2}').toString("base64url"),
  ])("that nobody gave are refused: %j", (cursor) => {
    const error = thrownBy(() => readCursor("github", "q", cursor));
    expect(error).toBeInstanceOf(ConnectorRequestError);
    expect(error).toMatchObject(invalid);
  });

  test("nested deeper than the stack are refused", () => {
    const place = "[".repeat(100_000) + "]".repeat(100_000);
    const cursor = Buffer.from(`{"question":"q","place":${place}}`).toString("base64url");
    expect(thrownBy(() => readCursor("github", "q", cursor))).toMatchObject(invalid);
  });
});

describe("arguments", () => {
  const parse = <S extends v.GenericSchema>(schema: S, value: unknown) =>
    parseArgument("github", schema, value, "query");

  test("of a listing have defaults, and instants in UTC", () => {
    expect(parse(ListQuery, {})).toEqual({ limit: 50 });
    expect(parse(ListQuery, { updatedSince: "2026-03-01T10:00:00+01:00", filters: {} })).toEqual({
      updatedSince: "2026-03-01T09:00:00.000Z",
      filters: {},
      limit: 50,
    });
    expect(parse(SearchQuery, { text: "  pay \n" })).toEqual({ text: "pay", limit: 20 });
  });

  test.each<[v.GenericSchema, unknown, string]>([
    [ListQuery, { limit: 0 }, "query.limit"],
    [ListQuery, { limit: 1001 }, "query.limit"],
    [ListQuery, { limit: "7" }, "query.limit"],
    [ListQuery, { updatedSince: "yesterday" }, "query.updatedSince: must be an ISO 8601 instant"],
    [ListQuery, { filters: { assignee: "ada" } }, "query.filters.assignee"],
    [SearchQuery, { limit: 101 }, "query.limit"],
    [UpdatePatch, { status: "done" }, "query.status"],
    [UpdatePatch, { labels: ["a", ""] }, "query.labels.1: must not be empty"],
    [ReadableText, " \n", "query: must not be empty"],
  ])("that are wrong are named", (schema, value, start) => {
    const error = thrownBy(() => parse(schema, value));
    expect(error).toBeInstanceOf(ConnectorRequestError);
    expect(error).toMatchObject({ provider: "github", failureClass: "invalid" });
    expect(String(error)).toContain(start);
  });

  test("that a provider answers are named too, and not shown", () => {
    const Payload = v.object({ nodes: v.array(v.object({ id: v.string() })) });
    expect(parsePayload("linear", Payload, { nodes: [{ id: "1", more: 2 }] }, "issues")).toEqual({
      nodes: [{ id: "1" }],
    });
    const error = thrownBy(() =>
      parsePayload("linear", Payload, { nodes: [{ id: "1" }, { id: null }] }, "issues"),
    );
    expect(error).toBeInstanceOf(IssuePayloadContractError);
    expect(error).toMatchObject({
      provider: "linear",
      fieldPath: "issues.nodes.1.id",
      failureClass: "contract",
    });
    expect(thrownBy(() => parsePayload("linear", Payload, "<html>", "issues"))).toMatchObject({
      fieldPath: "issues",
    });
  });

  test("must be of the connector's own resource", () => {
    const scope = { provider: "github", workspace: "acme/api" };
    assertScope(scope, { system: "github", workspace: "acme/api", id: "7" });
    for (const other of [
      { system: "gitlab", workspace: "acme/api", id: "7" },
      { system: "github", workspace: "acme/web", id: "7" },
    ]) {
      expect(thrownBy(() => assertScope(scope, other))).toBeInstanceOf(ScopeViolationError);
    }
  });
});

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

test("a status has the tracker's name, or is refused with what there is", () => {
  const settable = { todo: "open", in_progress: "doing" };
  expect(nativeStatus("fp", settable, "in_progress")).toBe("doing");
  expect(() => nativeStatus("fp", settable, "done")).toThrow(
    "fp issues can be moved only to todo, in_progress.",
  );
});
