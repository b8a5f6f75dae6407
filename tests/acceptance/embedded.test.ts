/** A binding's life with no control plane configured: the host runs inside the program. */
import { expect, test } from "bun:test";
import * as v from "valibot";
import { errorOf, resultOf } from "../helpers/binary.ts";
import { Scratch } from "../helpers/scratch.ts";

test("connect, discover, bind, status and unbind work with no server running", async () => {
  using place = new Scratch();
  const refused = errorOf(await place.run(["bind", "--provider", "linear", "--select", "1", "--json"]));
  expect(refused.code).toBe("no_installation");
  expect(refused.hint).toContain("tracker host connect linear");
  expect(place.config()).toBeNull();

  expect(await place.run(["host", "connect", "linear", "--demo"])).toMatchObject({ code: 0 });
  expect(JSON.stringify(resultOf(await place.run(["host", "connections", "list", "--json"])))).toContain(
    "linear",
  );
  expect(resultOf(await place.run(["discover", "--provider", "linear", "--json"]))).toContainEqual(
    expect.objectContaining({ number: 1, provider: "linear", is_bound: false }),
  );

  const { binding_ref } = v.parse(
    v.object({ binding_ref: v.pipe(v.string(), v.startsWith("srm_")) }),
    resultOf(await place.run(["bind", "--provider", "linear", "--select", "1", "--json"])),
  );
  expect(place.config()).toContain(binding_ref);
  expect(resultOf(await place.run(["status", "--json"]))).toMatchObject({ binding_ref, connected: true });
  expect(JSON.stringify(resultOf(await place.run(["status", "--all", "--json"])))).toContain(binding_ref);
  expect(await place.run(["doctor"])).toMatchObject({
    code: 0,
    stdout: expect.not.stringContaining("auth login"),
  });
  const unbound = await place.run(["unbind"]);
  expect(unbound.code).toBe(0);
  expect(unbound.stdout).toContain(binding_ref);
  expect(place.config()).not.toContain(binding_ref);
});

test("a wrong choice is changed by the right one, and deleting its mapping changes nothing else", async () => {
  using place = new Scratch();
  await place.run(["host", "connect", "linear", "--demo"]);
  const bind = ["bind", "--provider", "linear", "--json"];
  const wrong = v.parse(
    v.object({ binding_ref: v.string(), display_label: v.string() }),
    resultOf(await place.run([...bind, "--select", "2"])),
  );
  expect(await place.run(["host", "mappings", "delete", wrong.binding_ref])).toMatchObject({ code: 0 });
  const stale = errorOf(await place.run(["status", "--json"]));
  expect(stale).toMatchObject({ code: "stale_binding", details: { reason: "binding_not_found" } });
  const again = resultOf(await place.run([...bind, "--match", "PAY"]));
  expect(again).not.toMatchObject({ binding_ref: wrong.binding_ref });
  expect(again).toMatchObject({ replaced: { binding_ref: wrong.binding_ref } });
  const twice = errorOf(await place.run(["host", "mappings", "delete", wrong.binding_ref, "--json"]));
  expect(twice.code).toBe("binding_not_found");
});

test("eight first binds at a time make one binding", async () => {
  using place = new Scratch();
  await place.run(["host", "connect", "linear", "--demo"]);
  const bind = ["bind", "--provider", "linear", "--match", "PAY", "--json"];
  const Bound = v.object({ binding_ref: v.string() });
  const outcomes = await Promise.all(Array.from({ length: 8 }, () => place.run(bind)));
  const refs = outcomes.map((outcome) => v.parse(Bound, resultOf(outcome)).binding_ref);
  expect(new Set(refs).size).toBe(1);
  const { tracker, project } = Object(Bun.YAML.parse(place.config() ?? ""));
  expect(tracker.binding_ref).toBe(refs[0]);
  expect(project.uuid).toMatch(/^[0-9a-f-]{36}$/);
  const all = resultOf(await place.run(["status", "--all", "--json"]));
  expect(all).toMatchObject({ bindings: [{ binding_ref: refs[0] }] });
});

test("--host embedded wins over a configured control plane", async () => {
  using place = new Scratch({ env: { TRACKER_HOST: "http://127.0.0.1:9", TRACKER_TOKEN: "trk_unused" } });
  const embedded = ["--host", "embedded"];
  expect(await place.run(["host", "connect", "github", "--demo", ...embedded])).toMatchObject({ code: 0 });
  expect(resultOf(await place.run(["bind", "--provider", "github", "--json", ...embedded]))).toMatchObject({
    provider: "github",
  });
});

test("TRACKER_HOME moves everything into one folder", async () => {
  using place = new Scratch();
  const home = `${place.root}/one-folder`;
  const env = { TRACKER_HOME: home };
  expect(await place.run(["host", "connect", "jira", "--demo"], { env })).toMatchObject({ code: 0 });
  expect([...place.files(place.home).keys()]).toEqual([]);
  expect(place.files(home).size).toBeGreaterThan(0);
});

test("host connect refuses what it cannot connect", async () => {
  using place = new Scratch();
  expect(await place.run(["host", "connect", "azure_devops", "--demo"])).toMatchObject({
    code: 1,
    stdout: "",
  });
  const untold = await place.run(["host", "connect", "linear"]);
  expect(untold.code).toBe(2);
  expect(untold.stderr).toContain("--token-stdin or --from-env");
});
