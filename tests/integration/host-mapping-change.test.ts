/** What people decide about a mapping: who owns which field, how its connector works. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { STRANGER, TestHost } from "../helpers/host-fixture.ts";
import { JiraSimulator } from "../simulators/jira/index.ts";

let host: TestHost;
let jira: JiraSimulator;
let ref: string;

beforeEach(async () => {
  host = await TestHost.open([]);
  jira = await new JiraSimulator({
    sites: [
      {
        cloudId: "f4a1c7d2-8b35-4e60-9d1f-27c0e5b8a364",
        name: "acme",
        projects: [{ id: "10002", key: "PAY", name: "Payments API" }],
      },
    ],
  }).start();
  const { token, email, origin } = jira;
  await host.post("admin/connections/", { provider: "jira", kind: "token", token, email, base_url: origin });
  ref = await host.bind("jira", "Payments API (PAY)", STRANGER);
});
afterEach(async () => {
  await host.close();
  await jira.stop();
});

const change = (body: object, binding = ref) => host.call("PATCH", `admin/mappings/${binding}/`, { body });
const publish = (issue: string) =>
  host.post("tracker/missions/publish/", {
    provider: "jira",
    binding_ref: ref,
    issue,
    update: { mission_id: "m-7", mission_state: "implementing" },
  });

describe("connector settings", () => {
  test("are merged, null removes one, and owners stay as they are", async () => {
    const doctrine = { mode: "split_ownership", field_owners: { title: "local" } };
    expect((await change({ doctrine })).body).toMatchObject({ doctrine, connector_settings: {} });
    const statusNameMap = { in_review: "Peer review", done: "Shipped" };
    await change({ connector_settings: { missionFieldId: "customfield_10042", statusNameMap } });
    const { body } = await change({
      connector_settings: { missionFieldId: null, statusNameMap: { done: null, todo: "Open" } },
    });
    expect(body).toMatchObject({
      binding_ref: ref,
      doctrine,
      connector_settings: { statusNameMap: { in_review: "Peer review", todo: "Open" } },
    });
    expect(body.connector_settings).not.toHaveProperty("missionFieldId");
  });

  test("reach the connector, also after the inventory was read again", async () => {
    const { key, id } = jira.site.add("PAY", { summary: "Refund twice" });
    expect((await publish(key)).body).toMatchObject({ omitted: expect.arrayContaining(["custom_field"]) });
    expect(jira.site.known(id).fields.custom).toEqual({});
    await change({ connector_settings: { missionFieldId: "customfield_10042" } });
    const [connection] = await host.database.selectFrom("connections").select("id").execute();
    await host.post(`admin/connections/${connection?.id}/refresh/`, {});
    const { status, body } = await publish(key);
    expect([status, body.omitted]).toEqual([200, []]);
    expect(jira.site.known(id).fields.custom).toEqual({ customfield_10042: "m-7" });
  });

  test.each([
    [{ missionFeildId: "customfield_1" }, { missionFeildId: expect.stringContaining("missionFieldId") }],
    [{ missionFieldId: 7 }, { missionFieldId: "must be string, not 7" }],
    [{ missionFieldId: "Mission" }, { missionFieldId: expect.stringContaining("customfield_10042") }],
    [{ statusNameMap: { stuck: "Stuck" } }, { "statusNameMap.stuck": expect.stringContaining('"done"') }],
    // What discovery finds is not for people to decide.
    [{ projectId: "10001" }, { projectId: expect.stringContaining("is not a setting") }],
    [{ baseUrl: "http://169.254.169.254" }, { baseUrl: expect.stringContaining("is not a setting") }],
  ])("that the provider does not have are refused: %j", async (connector_settings, named) => {
    const { status, body } = await change({ connector_settings });
    expect([status, body.code]).toEqual([400, "invalid_request"]);
    expect(body.details).toEqual(named);
    expect((await change({ connector_settings: {} })).body).toMatchObject({ connector_settings: {} });
  });

  test("of a mapping that nobody has", async () => {
    const { status, body } = await change({ connector_settings: {} }, "srm_nobody");
    expect([status, body.code]).toEqual([404, "binding_not_found"]);
  });
});
