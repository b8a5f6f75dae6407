import { expect, test } from "bun:test";
import { VERSION } from "../../../src/shared/version.ts";
import { ScriptedControlPlane, TEAM, TOKEN } from "../../helpers/scripted-control-plane.ts";

const HEADERS = {
  authorization: `Bearer ${TOKEN}`,
  "x-team-slug": TEAM,
  "user-agent": `tracker/${VERSION} (${process.platform}-${process.arch})`,
};

const get = (
  plane: ScriptedControlPlane,
  call: string,
  headers: Record<string, string> = HEADERS,
): Promise<Response> => fetch(`${plane.url}/api/v1/tracker/${call}`, { headers });

test("what was scripted passes", async () => {
  using plane = new ScriptedControlPlane().get("status/?provider=linear", { connected: true });
  expect(await (await get(plane, "status/?provider=linear")).json()).toEqual({ connected: true });
  plane.verify();
});

test("a request that never came is a problem", () => {
  using plane = new ScriptedControlPlane().get("status/?provider=linear", {});
  expect(() => plane.verify()).toThrow(/never requested/);
});

test.each(["status/?provider=linear", "status?provider=jira", "status/?provider=jira&limit=1"])(
  "an unexpected request is a problem: %s",
  async (call) => {
    using plane = new ScriptedControlPlane().get("status/?provider=jira", {});
    await get(plane, "status/?provider=jira");
    expect((await get(plane, call)).status).toBe(400);
    expect(() => plane.verify()).toThrow(/unexpected/);
  },
);

test("a body or a header that differs is a problem", async () => {
  using plane = new ScriptedControlPlane()
    .post("bind-resolve/", { provider: "linear" }, {})
    .post("bind-confirm/", { provider: "linear" }, {})
    .get("status/?provider=jira", {});
  const post = { method: "POST", headers: HEADERS };
  await fetch(`${plane.url}/api/v1/tracker/bind-resolve/`, {
    ...post,
    body: '{"provider":"linear","extra":1}',
  });
  await fetch(`${plane.url}/api/v1/tracker/bind-confirm/`, { ...post, body: '{"provider":"linear"}' });
  await get(plane, "status/?provider=jira", {});
  expect(() => plane.verify()).toThrow(/bind-resolve[\s\S]*bind-confirm[\s\S]*status/);
});
