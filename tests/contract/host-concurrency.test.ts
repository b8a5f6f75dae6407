import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type Answer, IDENTITY, list, resource, TestHost } from "../helpers/host-fixture.ts";

let host: TestHost;
beforeEach(async () => {
  host = await TestHost.open();
});
afterEach(() => host.close());

const times = <T>(count: number, work: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, index) => work(index)));
const project = (index: number) => ({ ...IDENTITY, uuid: `uuid-${index}`, slug: `project-${index}` });
const codes = (answers: readonly Answer[]) => {
  const counts: Record<string, number> = {};
  for (const { status, body } of answers) {
    const outcome = status === 200 ? "ok" : String(body.code);
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
};

describe("50 confirms at once", () => {
  test.each([
    ["with one key", "the-key"],
    ["without keys", undefined],
  ])("of one project %s: one mapping, one answer", async (_, key) => {
    const token = await host.candidate("linear", "Payments (PMT)");
    const answers = await times(50, () =>
      host.confirm("linear", token, IDENTITY, key === undefined ? {} : { key }),
    );
    expect(codes(answers)).toEqual({ ok: 50 });
    expect(new Set(answers.map(({ body }) => body.binding_ref)).size).toBe(1);
    expect(await host.database.selectFrom("mappings").selectAll().execute()).toHaveLength(1);
    expect(await host.database.selectFrom("projects").selectAll().execute()).toHaveLength(1);
  });

  test("of different projects: 50 mappings that share the resource", async () => {
    const token = await host.candidate("linear", "Payments (PMT)");
    const answers = await times(50, (index) => host.confirm("linear", token, project(index)));
    expect(codes(answers)).toEqual({ ok: 50 });
    expect(new Set(answers.map(({ body }) => body.binding_ref)).size).toBe(50);
    const mappings = await host.database.selectFrom("mappings").selectAll().execute();
    expect(new Set(mappings.map(({ resource_ref }) => resource_ref)).size).toBe(1);
    expect(await host.database.selectFrom("projects").selectAll().execute()).toHaveLength(50);
  });
});

test("reads and writes at once: nothing lost, nothing failed", async () => {
  const paths = Array.from({ length: 40 }, (_, index) => `acme/repo-${index}`);
  host.resources.set(
    "github",
    paths.map((path) => resource("github", path)),
  );
  await host.get("tracker/resources/?provider=github&refresh=1");
  const tokens = await times(paths.length, (index) => host.candidate("github", paths[index] ?? ""));
  const work = tokens.flatMap((token, index) => [
    host.confirm("github", token, project(index), { key: `key-${index}` }),
    host.get("tracker/resources/?provider=github&limit=10"),
    host.resolve("github", project(index)),
    host.get("tracker/status/?provider=github"),
    host.get("tracker/resources/?provider=github&refresh=1"),
  ]);
  expect(codes(await Promise.all(work))).toEqual({ ok: work.length });
  const { body } = await host.get("tracker/mappings/?provider=github");
  expect(new Set(list(body.mappings).map((mapping) => mapping.project_slug)).size).toBe(paths.length);
});

test("refreshes of one connection at once are one", async () => {
  await times(5, () => host.get("tracker/resources/?provider=github&refresh=1"));
  const { body } = await host.get("tracker/resources/?provider=github");
  expect(body.resources).toHaveLength(3);
});

describe("two teams", () => {
  test("neither sees nor touches the other's, whatever it asks", async () => {
    const ref = await host.bind("linear", "Payments (PMT)");
    const connection = await host.connect("linear");
    const token = await host.candidate("linear", "Operations (OPS)");
    host.resources.set("linear", [resource("linear", "RIV", "Rival work")]);
    const rival = await host.addTeam("rivals");
    await host.connect("linear", { token: rival.token });
    const secrets = /Payments|Operations|PMT|srm_01|already_bound/;

    const as = { token: rival.token };
    const body = { provider: "linear", project_identity: IDENTITY };
    for (const options of [
      as,
      { ...as, team: "rivals" },
      { ...as, headers: { "x-forwarded-user": "owner" } },
    ]) {
      const answers = [
        await host.get("me/", options),
        await host.get("tracker/resources/?provider=linear", options),
        await host.get("tracker/resources/?provider=linear&refresh=1", options),
        await host.get("tracker/installations/", options),
        await host.get("tracker/status/?provider=linear", options),
        await host.get(`tracker/status/?provider=linear&binding_ref=${ref}`, options),
        await host.get(`tracker/status/?provider=linear&project_slug=${IDENTITY.slug}`, options),
        await host.get("tracker/mappings/?provider=linear", options),
        await host.get(`tracker/mappings/?provider=linear&binding_ref=${ref}`, options),
        await host.get("admin/connections/", options),
        await host.post("tracker/bind-resolve/", body, options),
        await host.post("tracker/bind-confirm/", { ...body, candidate_token: token }, options),
        await host.post("tracker/bind-validate/", { ...body, binding_ref: ref }, options),
        await host.post(`admin/connections/${connection}/test/`, undefined, options),
        await host.post(`admin/connections/${connection}/refresh/`, undefined, options),
        await host.call("DELETE", `admin/connections/${connection}/`, options),
        await host.call("DELETE", `admin/mappings/${ref}/`, options),
        await host.post("tracker/list-tickets/", { provider: "linear", binding_ref: ref }, options),
        await host.post("tracker/list-tickets/", { provider: "linear" }, options),
        await host.post(
          "tracker/issue-search/",
          { provider: "linear", project_slug: IDENTITY.slug },
          options,
        ),
      ];
      for (const answer of answers) {
        expect(JSON.stringify(answer.body).replaceAll(ref, "")).not.toMatch(secrets);
      }
      expect(answers.map(({ status }) => status)).toEqual([
        200, 200, 200, 200, 200, 404, 404, 200, 404, 200, 200, 400, 200, 404, 404, 404, 404, 404, 400, 404,
      ]);
    }
    const forged = await host.get("tracker/mappings/?provider=linear", { ...as, team: "acme" });
    expect([forged.status, forged.body.code]).toEqual([403, "team_mismatch"]);
    expect((await host.get(`tracker/status/?provider=linear&binding_ref=${ref}`)).body.display_label).toBe(
      "Payments (PMT)",
    );
  });

  test("may bind the same resource and use the same key", async () => {
    await host.bind("linear", "Payments (PMT)");
    const { token } = await host.addTeam("rivals");
    await host.connect("linear", { token });
    const candidate = await host.candidate("linear", "Payments (PMT)", { token });
    expect((await host.confirm("linear", candidate, IDENTITY, { token })).status).toBe(200);
  });
});
