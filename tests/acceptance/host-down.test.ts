/** The control plane goes away before, or in the middle of, a bind. */
import { expect, test } from "bun:test";
import * as v from "valibot";
import { errorOf, resultOf } from "../helpers/binary.ts";
import { startHost } from "../helpers/host-process.ts";
import { httpAnswer, RawServer } from "../helpers/raw-server.ts";
import { Scratch } from "../helpers/scratch.ts";
import { TEAM, TOKEN } from "../helpers/scripted-control-plane.ts";

const CONFIG = "# shared\nother: [1, 2]\n";
const Sent = v.object({ project_identity: v.object({ uuid: v.string() }) });
const BOUND = "tracker:\n  provider: linear\n  binding_ref: srm_1\n  display_label: Payments (PAY)\n";

/** An address of this machine that nobody listens on. */
function nobody(): string {
  const server = new RawServer(() => ({ bytes: "", end: "close" }));
  server[Symbol.dispose]();
  return server.url;
}

test("bind names the address and what to do, and leaves no mark on the repository", async () => {
  const TRACKER_HOST = nobody();
  using place = new Scratch({ env: { TRACKER_HOST, TRACKER_TOKEN: TOKEN, TRACKER_TEAM: TEAM } });
  const before = place.files();
  const human = await place.run(["bind", "--provider", "linear", "--select", "1"]);
  expect(human).toMatchObject({ code: 1, stdout: "" });
  expect(human.stderr).toContain(TRACKER_HOST);
  expect(human.stderr).toContain("tracker doctor");
  const error = errorOf(await place.run(["bind", "--provider", "linear", "--select", "1", "--json"]));
  expect(error).toMatchObject({ code: "host_unreachable", retryable: true });
  expect(place.files()).toEqual(before);
});

test("a bound project can still be looked at and unbound", async () => {
  const env = { TRACKER_HOST: nobody(), TRACKER_TOKEN: TOKEN, TRACKER_TEAM: TEAM };
  using place = new Scratch({ env, config: BOUND });
  expect(await place.run(["status"])).toMatchObject({ code: 1, stdout: "" });
  expect(await place.run(["status", "--check"])).toMatchObject({ code: 1, stdout: "" });
  expect(resultOf(await place.run(["status", "--offline", "--json"]))).toMatchObject({
    binding_ref: "srm_1",
  });
  const doctor = await place.run(["doctor"]);
  expect(doctor.code).toBe(1);
  expect(doctor.stdout).toContain(env.TRACKER_HOST);
  expect(doctor.stdout).toContain("Check the address above and your network.");
  expect(doctor.stdout).not.toContain("`tracker doctor`");
  expect(place.config()).toBe(BOUND);
  expect(await place.run(["unbind"])).toMatchObject({ code: 0 });
  expect(place.config()).not.toContain("srm_1");
});

test("a host that dies between resolve and confirm leaves the config, and a retry is the same project", async () => {
  const resolution = {
    match_type: "candidates",
    candidates: [
      {
        candidate_token: "cand_1",
        display_label: "Payments (PAY)",
        confidence: "high",
        match_reason: "same name",
        sort_position: 0,
      },
    ],
  };
  const confirmation = {
    binding_ref: "srm_1",
    display_label: "Payments (PAY)",
    provider: "linear",
    provider_context: {},
    bound_at: "2026-05-06T07:08:09Z",
    project_slug: "payments-api",
  };
  const resources = {
    installation_id: "inst_1",
    provider: "linear",
    resources: [{ candidate_token: "cand_1", display_label: "Payments (PAY)", provider: "linear" }],
  };
  let dying = true;
  using server = new RawServer(({ head }) => {
    const isConfirm = head.includes("/bind-confirm/");
    if (isConfirm && dying) return { bytes: "", end: "reset" };
    const listed = head.includes("/resources/") ? resources : resolution;
    return { bytes: httpAnswer(200, JSON.stringify(isConfirm ? confirmation : listed)), end: "close" };
  });
  const env = { TRACKER_HOST: server.url, TRACKER_TOKEN: TOKEN, TRACKER_TEAM: TEAM };
  using place = new Scratch({ env, config: CONFIG });
  const bind = ["bind", "--provider", "linear", "--select", "1"];
  expect(await place.run(bind)).toMatchObject({ code: 1, stdout: "" });
  expect(place.config()).toBe(CONFIG);
  const confirms = server.requests.filter(({ head }) => head.includes("/bind-confirm/"));
  expect(confirms).toHaveLength(3);
  expect(new Set(confirms.map(({ head }) => /^idempotency-key: *(\S+)/im.exec(head)?.[1])).size).toBe(1);

  dying = false;
  expect(await place.run(bind)).toMatchObject({ code: 0 });
  const uuids = new Set(
    server.requests
      .filter(({ body }) => body !== "")
      .map(({ body }) => v.parse(Sent, JSON.parse(body)).project_identity.uuid),
  );
  expect(uuids.size).toBe(1);
  expect(place.config()).toStartWith(CONFIG);
  expect(place.config()).toContain(`uuid: ${[...uuids][0]}`);
  expect(place.config()).toContain("binding_ref: srm_1");
});

test("a killed host is missed, and the same bind works on the next one", async () => {
  using place = new Scratch({ config: CONFIG });
  using owner = new Scratch();
  const bind = ["bind", "--provider", "linear", "--select", "1"];
  {
    await using host = await startHost(owner);
    await host.kill();
    expect(await place.run(bind, { env: host.env })).toMatchObject({ code: 1, stdout: "" });
    expect(place.config()).toBe(CONFIG);
  }
  await using host = await startHost(owner);
  expect(await place.run(bind, { env: host.env })).toMatchObject({ code: 0 });
  expect(place.config()).toStartWith(CONFIG);
});

test("an answer that never comes is given up by Ctrl-C at once", async () => {
  using server = new RawServer(() => ({
    bytes: httpAnswer(200, "", { "content-length": "10" }),
    end: "stay",
  }));
  using place = new Scratch({
    env: { TRACKER_HOST: server.url, TRACKER_TOKEN: TOKEN, TRACKER_TEAM: TEAM },
    config: CONFIG,
  });
  const terminal = place.open(["bind", "--provider", "linear", "--verbose"]);
  await server.firstRequest;
  terminal.pressInterrupt();
  expect(await terminal.exit()).toBe(130);
  expect(place.config()).toBe(CONFIG);
});
