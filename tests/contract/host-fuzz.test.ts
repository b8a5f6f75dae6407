import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import { IDENTITY, TestHost } from "../helpers/host-fixture.ts";

let host: TestHost;
beforeAll(async () => {
  host = await TestHost.open();
});
afterAll(() => host.close());

const RUNS = { numRuns: 250 };
const text = fc.string({ unit: "binary", maxLength: 300 });
const provider = fc.oneof(fc.constantFrom("github", "linear", "jira", "azure", "beads"), text);
const anything = fc.oneof(text, fc.jsonValue());
const identity = fc.oneof(
  fc.constant(IDENTITY),
  fc.record({ uuid: text, slug: text, node_id: text, repo_slug: fc.option(text) }),
  fc.record({ uuid: anything, slug: anything, node_id: anything, repo_slug: anything }, { requiredKeys: [] }),
);
const request = fc.record(
  {
    provider: fc.oneof(provider, fc.jsonValue()),
    project_identity: fc.oneof(identity, fc.jsonValue()),
    candidate_token: fc.oneof(
      text,
      text.map((rest) => `cand_${rest}`),
      fc.jsonValue(),
    ),
    binding_ref: fc.oneof(
      text,
      text.map((rest) => `srm_${rest}`),
      fc.jsonValue(),
    ),
    kind: fc.constantFrom("demo", "real", 1),
    project_slug: anything,
    query_text: anything,
    query_key: anything,
    limit: fc.oneof(fc.integer(), anything),
  },
  { requiredKeys: [] },
);
const POSTS = [
  "tracker/bind-resolve/",
  "tracker/bind-confirm/",
  "tracker/bind-validate/",
  "tracker/list-tickets/",
  "tracker/issue-search/",
  "admin/connections/",
  "admin/connections/x/test/",
] as const;
const GETS = ["resources", "status", "mappings", "installations", "operations/x"] as const;

/** No answer is a 500, and an error is always the envelope. */
async function expectAnswer(answer: ReturnType<TestHost["call"]>): Promise<void> {
  const { status, body } = await answer;
  expect([status < 500, host.log]).toEqual([true, []]);
  if (status >= 400) expect(body).toMatchObject({ http_status: status, code: expect.any(String) });
}

test("no body makes a 500", async () => {
  const body = fc.oneof(request, fc.jsonValue(), text);
  const property = fc.asyncProperty(fc.constantFrom(...POSTS), body, (path, value) =>
    expectAnswer(host.post(path, value)),
  );
  await fc.assert(property, RUNS);
});

test("no identity makes a confirm or a resolve fail otherwise than by contract", async () => {
  const token = await host.candidate("github", "acme/docs");
  const property = fc.asyncProperty(identity, async (project_identity) => {
    await expectAnswer(host.resolve("github", project_identity));
    await expectAnswer(host.confirm("github", token, project_identity));
  });
  await fc.assert(property, RUNS);
});

test("no search makes a bound resource fail otherwise than by contract", async () => {
  const binding_ref = await host.bind("linear", "Payments (PMT)");
  const words = fc.record({ query_text: text, query_key: text, limit: fc.nat(120) }, { requiredKeys: [] });
  const property = fc.asyncProperty(words, (search) =>
    expectAnswer(host.post("tracker/issue-search/", { provider: "linear", binding_ref, ...search })),
  );
  await fc.assert(property, RUNS);
});

test("no query makes a 500", async () => {
  const query = fc.dictionary(
    fc.oneof(
      fc.constantFrom("provider", "binding_ref", "project_slug", "q", "limit", "cursor", "refresh"),
      text,
    ),
    fc.oneof(provider, text, fc.integer().map(String)),
  );
  const property = fc.asyncProperty(fc.constantFrom(...GETS), query, provider, (path, parameters, name) => {
    const search = new URLSearchParams({ provider: name.toWellFormed() });
    for (const [key, value] of Object.entries(parameters))
      search.set(key.toWellFormed(), value.toWellFormed());
    return expectAnswer(host.get(`tracker/${path}/?${search.toString()}`));
  });
  await fc.assert(property, RUNS);
});

test("no path and no header makes a 500", async () => {
  const header = fc.string({ unit: fc.constantFrom(..."abcXYZ019 _-.,;:/%=\"'"), maxLength: 60 });
  const path = fc.array(fc.oneof(text, fc.constantFrom("tracker", "admin", "connections", "..", "%", "%ff")));
  const property = fc.asyncProperty(
    path,
    fc.constantFrom("GET", "POST", "DELETE"),
    header,
    (steps, method, value) => {
      const escaped = steps.map((step) => (step === "%ff" ? step : encodeURIComponent(step.toWellFormed())));
      const headers = { "idempotency-key": value, "x-team-slug": value, "content-length": value };
      return expectAnswer(host.call(method, escaped.join("/"), { headers }));
    },
  );
  await fc.assert(property, RUNS);
});
