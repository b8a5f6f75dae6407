/** Tickets of a bound resource: which resource is meant, what is told, and what becomes of a provider's refusals. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as v from "valibot";
import { IssueSearchResponse, ListTicketsResponse } from "../../src/protocol.ts";
import { FakeProvider } from "../helpers/host-fake-provider.ts";
import { IDENTITY, list, TestHost } from "../helpers/host-fixture.ts";

const OTHER = { ...IDENTITY, uuid: "11111111-1111-4111-8111-111111111111", slug: "other" };

let host: TestHost;
beforeEach(async () => {
  host = await TestHost.open();
});
afterEach(() => host.close());

const tickets = (fields: Record<string, unknown> = {}) =>
  host.post("tracker/list-tickets/", { provider: "linear", ...fields });
const search = (fields: Record<string, unknown> = {}) =>
  host.post("tracker/issue-search/", { provider: "linear", ...fields });
const outcome = async (answer: ReturnType<typeof tickets>) => {
  const { status, body } = await answer;
  return status === 200 ? status : [status, body.code];
};

test("are listed by the binding, the last changed first", async () => {
  const binding_ref = await host.bind("linear", "Payments (PMT)");
  const { body } = await tickets({ binding_ref });
  expect(v.parse(ListTicketsResponse, body).tickets).toHaveLength(3);
  expect(body).toEqual({
    tickets: [
      expect.objectContaining({ identifier: "PMT-3", state: { name: "done" }, assignee: null, body: null }),
      expect.objectContaining({
        identifier: "PMT-2",
        state: { name: "todo" },
        assignee: { id: "grace", name: "grace" },
      }),
      {
        external_issue_id: "1",
        identifier: "PMT-1",
        external_issue_key: "PMT-1",
        status: "in_progress",
        title: "Refunds are booked twice when the customer retries",
        url: "https://tracker.example/PMT-1",
        state: { name: "in_progress" },
        team: { id: "id:PMT", name: "Payments (PMT)" },
        assignee: { id: "ada", name: "ada" },
        created_at: "2026-01-05T10:00:00.000Z",
        updated_at: "2026-01-05T10:00:00.000Z",
        body: expect.stringContaining("Payments (PMT)"),
      },
    ],
    resource_type: "repository",
    resource_id: "id:PMT",
  });
  expect(list((await tickets({ binding_ref, limit: 1 })).body.tickets)).toHaveLength(1);
});

test("routed by slug carry what the config is upgraded with", async () => {
  const binding_ref = await host.bind("linear", "Payments (PMT)");
  for (const { body } of [
    await tickets({ project_slug: IDENTITY.slug }),
    await search({ project_slug: IDENTITY.slug }),
  ]) {
    expect(body).toMatchObject({
      binding_ref,
      display_label: "Payments (PMT)",
      provider_context: { display_key: "PMT" },
    });
  }
});

describe("are searched", () => {
  const found = async (fields: Record<string, unknown>) => {
    const { body } = await search(fields);
    return v.parse(IssueSearchResponse, body).candidates.map(({ identifier }) => identifier);
  };
  beforeEach(async () => {
    await host.bind("linear", "Payments (PMT)");
  });

  test.each([
    [{ query_key: "PMT-2" }, ["PMT-2"]],
    [{ query_key: " PMT-2 " }, ["PMT-2"]],
    [{ query_key: "PMT-99" }, []],
    [{ query_key: "OPS-1" }, []],
    [{ query_key: "PMT-2", query_text: "refunds" }, ["PMT-2"]],
    [{ query_text: "refunds twice" }, ["PMT-1"]],
    [{ query_text: "nothing like it" }, []],
    [{ query_text: "t", limit: 2 }, ["PMT-3", "PMT-2"]],
    [{ query_text: "", query_key: null }, ["PMT-3", "PMT-2", "PMT-1"]],
  ])("by %o", async (fields, identifiers) => {
    expect(await found(fields)).toEqual(identifiers);
  });
});

describe("without a routing key", () => {
  test("the only binding is meant", async () => {
    await host.bind("linear", "Payments (PMT)");
    await host.bind("github", "acme/docs", OTHER);
    const { body } = await tickets();
    expect(body.resource_id).toBe("id:PMT");
    expect(body).not.toHaveProperty("binding_ref");
  });

  test("none: says so", async () => {
    const { status, body } = await tickets();
    expect([status, body.code]).toEqual([400, "invalid_request"]);
    expect(body.message).toBe("No project is bound to Linear.");
  });

  test("several: asks for one of them", async () => {
    await host.bind("linear", "Payments (PMT)");
    await host.bind("linear", "Operations (OPS)", OTHER);
    const { status, body } = await search({ query_text: "x" });
    expect([status, body.code]).toEqual([400, "invalid_request"]);
    expect(body.details).toEqual({ project_slugs: ["payments-api", "other"] });
  });

  test("a disabled binding and one without a connection are not meant", async () => {
    const disabled = await host.bind("linear", "Operations (OPS)", OTHER);
    await host.alter(disabled, { status: "disabled" });
    await host.bind("linear", "Payments (PMT)");
    expect(await outcome(tickets())).toBe(200);
    expect(await outcome(tickets({ provider: "jira" }))).toEqual([403, "no_installation"]);
  });
});

test("of a binding that cannot be worked on are refused as everywhere", async () => {
  const binding_ref = await host.bind("linear", "Payments (PMT)");
  expect(await outcome(tickets({ binding_ref: "srm_x", project_slug: IDENTITY.slug }))).toEqual([
    404,
    "binding_not_found",
  ]);
  expect(await outcome(tickets({ provider: "github", binding_ref }))).toEqual([404, "binding_not_found"]);
  await host.alter(binding_ref, { status: "disabled" });
  expect(await outcome(tickets({ binding_ref }))).toEqual([409, "mapping_disabled"]);
  const id = await host.connect("linear");
  const other = await host.bind("linear", "Operations (OPS)", OTHER);
  await host.call("DELETE", `admin/connections/${id}/`);
  expect(await outcome(tickets({ binding_ref: other }))).toEqual([403, "no_installation"]);
});

test.each([{ limit: 0 }, { limit: 101 }, { limit: "5" }, { limit: 1.5 }])("with %o: 400", async (fields) => {
  await host.bind("linear", "Payments (PMT)");
  expect(await outcome(tickets(fields))).toEqual([400, "invalid_request"]);
  expect(await outcome(search(fields))).toEqual([400, "invalid_request"]);
});

describe("of a provider that does not answer", () => {
  const TOKEN = "canary-token";
  let provider: FakeProvider;
  let binding_ref = "";
  beforeEach(async () => {
    provider = new FakeProvider();
    provider.addAccount(TOKEN, "u", { acme: { "1": "payments" } });
    host.openReal = provider.open;
    const request = { provider: "github", kind: "token", token: TOKEN, base_url: provider.origin };
    expect((await host.post("admin/connections/", request)).status).toBe(200);
    binding_ref = await host.bind("github", "payments (acme/payments)");
  });
  afterEach(() => provider.stop());

  test.each([
    [401, {}, "Bad credentials", 502, "provider_rejected", null],
    [403, {}, "Forbidden", 502, "provider_rejected", null],
    [500, {}, "Broken", 503, "provider_unavailable", null],
    [429, { "retry-after": "90" }, "Slow down", 429, "rate_limited", 90],
  ])("%i", async (status, headers: Record<string, string>, message, answered, code, retryAfter) => {
    provider.failure = { status, headers, body: { message: `${message} for ${TOKEN}` } };
    for (const answer of [
      await tickets({ provider: "github", binding_ref }),
      await search({ provider: "github", binding_ref, query_text: "words" }),
    ]) {
      expect([answer.status, answer.body.code]).toEqual([answered, code]);
      expect(answer.body).toMatchObject({
        provider: "github",
        source: "provider",
        retry_after_seconds: retryAfter,
        message: expect.stringContaining(message),
      });
      expect(answer.headers.get("retry-after")).toBe(retryAfter === null ? null : String(retryAfter));
      expect(JSON.stringify(answer.body)).not.toContain(TOKEN);
    }
    expect(host.log).toEqual([]);
  });
});
