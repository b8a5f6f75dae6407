/** Resolution and numbering as a table: each inventory, each state of a project, each way to choose. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import * as v from "valibot";
import { parse } from "yaml";
import type { Outcome } from "../helpers/binary.ts";
import { resource, TestHost } from "../helpers/host-fixture.ts";
import { STUB_URL } from "../helpers/http-stubs.ts";
import { Scratch } from "../helpers/scratch.ts";

const Discovered = v.array(v.object({ number: v.number(), display_label: v.string() }));
const Listed = v.array(v.object({ candidate_token: v.string() }));

/** The resource that a certain match leads to, the first of each list. */
const NEAR = "acme/payments-api";
const REMOTES = {
  exact: "git@github.com:acme/payments-api.git",
  similar: "git@github.com:acme/payments.git",
  strange: "git@github.com:zeta/quux.git",
};
const NEIGHBOR = {
  uuid: "99999999-0000-4000-8000-000000000000",
  slug: "neighbor",
  node_id: "0",
  repo_slug: "acme/neighbor",
};

/** A project before it chooses. */
interface State {
  readonly remote: keyof typeof REMOTES;
  /** This project is bound to the near resource. */
  readonly own: "none" | "active" | "disabled" | "deleted";
  /** The resource that a neighbor is bound to. */
  readonly neighbor: "none" | "near" | "far";
  /** The end of a bind without a terminal and without a choice: an error, or the near resource. */
  readonly unasked: "selection_required" | "already_bound_here" | "bound";
  /** The reason for which the reference of {@link State.own}, else the neighbor's, else an invented one is refused. */
  readonly refused: "project_mismatch" | "mapping_disabled" | "mapping_deleted" | null;
}

const STATES: Readonly<Record<string, State>> = {
  exact: { remote: "exact", own: "none", neighbor: "none", unasked: "bound", refused: "mapping_deleted" },
  suggestions: {
    remote: "similar",
    own: "none",
    neighbor: "none",
    unasked: "selection_required",
    refused: "mapping_deleted",
  },
  "nothing similar": {
    remote: "strange",
    own: "none",
    neighbor: "none",
    unasked: "selection_required",
    refused: "mapping_deleted",
  },
  "bound here": { remote: "strange", own: "active", neighbor: "none", unasked: "bound", refused: null },
  "bound elsewhere": {
    remote: "strange",
    own: "none",
    neighbor: "far",
    unasked: "selection_required",
    refused: "project_mismatch",
  },
  shared: { remote: "strange", own: "active", neighbor: "near", unasked: "bound", refused: null },
  disabled: {
    remote: "strange",
    own: "disabled",
    neighbor: "none",
    unasked: "already_bound_here",
    refused: "mapping_disabled",
  },
  deleted: {
    remote: "strange",
    own: "deleted",
    neighbor: "none",
    unasked: "bound",
    refused: "mapping_deleted",
  },
};

describe.each([1, 5, 300, 20_000])("among %d resources", (size) => {
  /** The last resource of each list, which resembles nothing. */
  const far = size === 1 ? NEAR : crate(size - 1);
  let host: TestHost;
  let person: Scratch;

  beforeAll(async () => {
    host = await TestHost.open([]);
    const names = [NEAR, ...Array.from({ length: size - 1 }, (_, index) => crate(index + 1))];
    const resources = names.map((name) => ({
      ...resource("github", name),
      routingMetadata: { display_key: name, resource_url: `https://github.com/${name}` },
    }));
    host.resources.set("github", resources);
    await host.connect("github");
  });
  afterAll(() => host.close());
  beforeEach(async () => {
    await host.database.deleteFrom("mappings").execute();
    await host.database.deleteFrom("projects").execute();
  });

  const run = (args: readonly string[], answers?: readonly string[]): Promise<Outcome> =>
    person.runHere([...args, "--provider", "github"], {
      env: { TRACKER_HOST: STUB_URL, TRACKER_TOKEN: host.token, TRACKER_TEAM: "acme", NO_COLOR: "1" },
      fetch: host.fetch,
      ...(answers !== undefined && {
        terminalColumns: 80,
        stdin: answers.map((line) => `${line}\n`).join(""),
      }),
    });
  const bind = (args: readonly string[], answers?: readonly string[]) => run(["bind", ...args], answers);
  const bindToJson = async (...args: string[]) => {
    const { code, stdout, stderr } = await bind([...args, "--json"]);
    return { code, json: JSON.parse(code === 0 ? stdout : stderr) };
  };
  const discover = async () => {
    const { stdout } = await run(["discover", "--json"]);
    return v.parse(Discovered, JSON.parse(stdout));
  };
  const config = () => parse(person.config() ?? "{}");
  /** The label of each project's binding, active ones alone. */
  const bindings = async () => {
    const rows = await host.database
      .selectFrom("mappings")
      .innerJoin("projects", "projects.id", "mappings.project_id")
      .select(["projects.slug", "mappings.display_label", "mappings.binding_ref"])
      .where("mappings.status", "=", "active")
      .where("mappings.deleted_at", "is", null)
      .execute();
    return Object.fromEntries(rows.map(({ slug, ...binding }) => [slug, binding]));
  };

  /** Brings the project into its state; returns the text of its config and the reference that is tried. */
  const arrange = async ({ remote, own, neighbor }: State) => {
    person = new Scratch({ origin: REMOTES[remote] });
    let bindingRef = "srm_0000000000000000000000000B";
    if (neighbor !== "none") {
      const label = neighbor === "near" ? NEAR : far;
      const { body } = await host.get(`tracker/resources/?provider=github&q=${label}`);
      const [found] = v.parse(Listed, body.resources);
      const answer = await host.confirm("github", found?.candidate_token ?? "", NEIGHBOR);
      bindingRef = String(answer.body.binding_ref);
    }
    if (own !== "none") {
      const { json } = await bindToJson("--match", NEAR);
      bindingRef = json.binding_ref;
      if (own === "disabled") await host.alter(bindingRef, { status: "disabled" });
      if (own === "deleted") await host.alter(bindingRef, { deleted_at: "2026-03-01T12:00:00Z" });
    }
    return { before: person.config(), bindingRef };
  };

  /** The binding of the config, as the control plane has it. */
  const expectBoundTo = async (label: string, { neighbor }: State) => {
    const { tracker, project } = config();
    expect(tracker).toMatchObject({ provider: "github", display_label: label });
    expect(tracker.provider_context).toMatchObject({ display_key: label });
    expect(await bindings()).toEqual({
      [project.slug]: { display_label: label, binding_ref: tracker.binding_ref },
      ...(neighbor !== "none" && {
        [NEIGHBOR.slug]: {
          display_label: neighbor === "near" ? NEAR : far,
          binding_ref: expect.not.stringMatching(tracker.binding_ref),
        },
      }),
    });
  };
  const printed = (label: string, before: string | null, dryRun = false) => {
    const old = before === null ? null : parse(before);
    const isReplaced = old !== null && old.tracker.display_label !== label;
    return {
      display_label: label,
      dry_run: dryRun,
      replaced: isReplaced
        ? expect.objectContaining({ binding_ref: old.tracker.binding_ref, display_label: NEAR })
        : null,
    };
  };

  describe.each(Object.entries(STATES))("%s", (_, state) => {
    let before: string | null;
    let bindingRef: string;

    beforeEach(async () => {
      ({ before, bindingRef } = await arrange(state));
    });
    afterEach(() => person[Symbol.dispose]());

    /** The far resource is bound; a bound project keeps its identity, and its config if nothing changed. */
    const expectFar = async () => {
      await expectBoundTo(far, state);
      if (before === null) return;
      expect(config().project).toEqual(parse(before).project);
      if (far === NEAR) expect(person.config()).toBe(before);
    };

    test("without a choice and a terminal", async () => {
      const bound = await bindings();
      const { code, json } = await bindToJson();
      if (state.unasked === "bound") {
        expect([code, json]).toEqual([0, expect.objectContaining(printed(NEAR, before))]);
        await expectBoundTo(NEAR, state);
        if (before !== null) expect(person.config()).toBe(before);
        return;
      }
      expect([code, json.error.code]).toEqual([1, state.unasked]);
      if (state.unasked === "selection_required") {
        const choices = v.parse(Discovered, json.error.choices);
        expect(choices[0]).toEqual({ number: 1, display_label: NEAR });
        expect(choices.map(({ number }) => number)).toEqual(choices.map((_row, index) => index + 1));
      }
      expect([person.config(), await bindings()]).toEqual([before, bound]);
    });

    test("in the prompt", async () => {
      const isCertain = state.own === "none" && state.remote === "exact";
      const picks = size > 10 ? [far, "1"] : [String(size)];
      const label = isCertain ? NEAR : far;
      const { code, stdout, stderr } = await bind([], [...(before === null ? [] : ["y"]), ...picks]);
      expect([code, stdout]).toEqual([0, expect.stringContaining(`Bound to ${label}\n`)]);
      expect(stdout).toContain(config().tracker.binding_ref);
      await (isCertain ? expectBoundTo(NEAR, state) : expectFar());
      const first = `1. ${NEAR}\n`;
      expect([stderr.includes("Replace it?"), stderr.includes(first)]).toEqual([before !== null, !isCertain]);
      expect(stderr.includes(`… ${(size - 10).toLocaleString("en-US")} more`)).toBe(!isCertain && size > 10);
      expect(stderr.includes(`Replaced ${NEAR} (GitHub, ${bindingRef}).`)).toBe(
        before !== null && far !== NEAR,
      );
    });

    test("by the number that discover shows", async () => {
      const numbers = (await discover()).map(({ number, display_label }) => [number, display_label]);
      expect(numbers.length).toBe(size);
      expect([numbers[0], numbers.at(-1)]).toEqual([
        [1, NEAR],
        [size, far],
      ]);
      const { code, json } = await bindToJson("--select", String(size));
      expect([code, json]).toEqual([0, expect.objectContaining(printed(far, before))]);
      expect(json.binding_ref).toBe(config().tracker.binding_ref);
      await expectFar();
    });

    test("by label, and back", async () => {
      const { code, json } = await bindToJson("--match", far);
      expect([code, json]).toEqual([0, expect.objectContaining(printed(far, before))]);
      expect(json.binding_ref).toBe(config().tracker.binding_ref);
      await expectFar();
      expect((await bindToJson("--match", NEAR)).code).toBe(0);
      await expectBoundTo(NEAR, state);
      if (before !== null) expect(person.config()).toBe(before);
    });

    test("by label, the resource that it has or had", async () => {
      const plan = await bindToJson("--match", NEAR, "--dry-run");
      if (state.own === "none" || state.own === "active") {
        expect(plan.json).toMatchObject(printed(NEAR, before, true));
      }
      expect(person.config()).toBe(before);
      const { code, json } = await bindToJson("--match", NEAR);
      expect([code, json]).toEqual([0, expect.objectContaining(printed(NEAR, before))]);
      await expectBoundTo(NEAR, state);
      if (before !== null) expect([json.binding_ref, person.config()]).toEqual([bindingRef, before]);
    });

    test("by reference", async () => {
      const bound = await bindings();
      const { code, json } = await bindToJson("--bind-ref", bindingRef);
      if (state.refused === null) {
        expect([code, json]).toEqual([0, expect.objectContaining(printed(NEAR, before))]);
      } else {
        const details = { binding_ref: bindingRef, reason: state.refused };
        expect([code, json.error]).toEqual([
          1,
          expect.objectContaining({ code: "invalid_binding_ref", details }),
        ]);
      }
      expect([person.config(), await bindings()]).toEqual([before, bound]);
    });
  });
});

/** A name that resembles no repository of the table, and sorts after the near one. */
function crate(number: number): string {
  return `warehouse/crate-${String(number).padStart(5, "0")}`;
}
