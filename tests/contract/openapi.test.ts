/** The OpenAPI document that the control plane serves. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Validator } from "@seriousme/openapi-schema-validator";
import { CALLS } from "../../src/protocol.ts";
import { TestHost } from "../helpers/host-fixture.ts";

const FILE = join(import.meta.dir, "..", "..", "docs", "openapi.json");

let host: TestHost;
let document: Record<string, unknown>;
beforeAll(async () => {
  host = await TestHost.open([]);
  const answer = await host.send(new Request("http://host.test/openapi.json"));
  expect(answer.status).toBe(200);
  document = answer.body;
});
afterAll(() => host.close());

test("is docs/openapi.json (bun run docs)", () => {
  expect(`${JSON.stringify(document, null, 2)}\n`).toBe(readFileSync(FILE, "utf8"));
});

test("is valid OpenAPI 3.1", async () => {
  const validator = new Validator();
  expect(await validator.validate(structuredClone(document))).toEqual({ valid: true });
  expect(validator.version).toBe("3.1");
  expect(() => validator.resolveRefs()).not.toThrow();
});

test("has an operation for every call", () => {
  const operations = Object.values(document.paths ?? {}).flatMap((path) => Object.values(path ?? {}));
  const names = Object.keys(CALLS).filter((name) => name !== "installationStatus");
  expect(operations.map((operation) => Object(operation).operationId).toSorted()).toEqual(names.toSorted());
});

test("takes GET only", async () => {
  const answer = await host.send(new Request("http://host.test/openapi.json", { method: "POST" }));
  expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET"]);
});
