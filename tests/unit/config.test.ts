import { describe, expect, test } from "bun:test";
import {
  type Binding,
  bindingEdit,
  bindingOf,
  type Egress,
  parseProjectConfig,
  spliceConfig,
  type TrackerSection,
  unbindEdit,
} from "../../src/config.ts";

const nothing: TrackerSection = {
  provider: null,
  bindingRef: null,
  projectSlug: null,
  displayLabel: null,
  providerContext: null,
  workspace: null,
  ownership: { mode: "external_authoritative", fieldOwners: {}, conflictStrategy: null },
  hasDoctrine: false,
  egress: "permitted",
};

describe("values that would be sent or shown", () => {
  test.each(["srm_1\\u0007", "srm 1", "srm_\\u202e1", "s".repeat(129), "srm_1\\n"])(
    "a reference that cannot be one is refused: %s",
    (ref) => {
      expect(() => parseProjectConfig(`tracker: {provider: linear, binding_ref: "${ref}"}`)).toThrow(
        "`tracker.binding_ref` must be at most 128 characters without spaces.",
      );
    },
  );

  test.each(["6f1c", "not-a-uuid", "6f1c2d7e58a44b0e9c630d8f3a1b7e25"])(
    "a uuid that is none is refused: %s",
    (uuid) => {
      expect(() => parseProjectConfig(`project: {uuid: "${uuid}"}`)).toThrow("`project.uuid` must be a UUID");
    },
  );
});

describe("parseProjectConfig", () => {
  test("reads both sections and leaves the rest alone", () => {
    const config = parseProjectConfig(`
project:
  uuid: 6f1c2d7e-58a4-4b0e-9c63-0d8f3a1b7e25
  slug: my-repo
  node_id: ab12
  repo_slug: acme/my-repo
  build_id: 7
tracker:
  provider: linear
  binding_ref: srm_1
  project_slug: my-project
  display_label: "My Project (LINEAR-123)"
  provider_context: { team_name: Engineering, workspace_name: Acme Corp }
  workspace: null
  doctrine: { mode: split_ownership, field_owners: { status: external } }
  conflict_strategy: manual_review
  egress: { allowed: [a, b] }
other: [1, 2]
`);
    expect(config).toEqual({
      project: {
        uuid: "6f1c2d7e-58a4-4b0e-9c63-0d8f3a1b7e25",
        slug: "my-repo",
        nodeId: "ab12",
        repoSlug: "acme/my-repo",
      },
      tracker: {
        provider: "linear",
        bindingRef: "srm_1",
        projectSlug: "my-project",
        displayLabel: "My Project (LINEAR-123)",
        providerContext: { team_name: "Engineering", workspace_name: "Acme Corp" },
        workspace: null,
        ownership: {
          mode: "split_ownership",
          fieldOwners: { status: "external" },
          conflictStrategy: "manual_review",
        },
        hasDoctrine: true,
        egress: "invalid",
      },
    });
  });

  test.each([
    "",
    "# nothing\n",
    "---\n",
    "{}",
    "tracker:\nproject: ~\n",
    "tracker: {provider: '', workspace: ' '}\n",
  ])("what is missing or blank is null: %j", (text) => {
    const identity = { uuid: null, slug: null, nodeId: null, repoSlug: null };
    expect(parseProjectConfig(text)).toEqual({ project: identity, tracker: nothing });
  });

  test.each([
    "0123",
    "1e5",
    "123456789012",
    "0x1F",
    "1_000",
    "12:30:45",
    "2026-01-02",
    "yes",
    "true",
    "+1.50",
    "0o17",
  ])("%s is read back as it was written", (written) => {
    for (const text of [`project:\n  slug: ${written}\n`, `%YAML 1.1\n---\nproject: {slug: ${written}}\n`]) {
      expect(parseProjectConfig(text).project.slug).toBe(written);
    }
    const context = parseProjectConfig(`tracker:\n  provider_context:\n    id: ${written}\n`);
    expect(context.tracker.providerContext).toEqual({ id: written });
  });

  test.each<[string, Egress]>([
    ["", "permitted"],
    ["  egress: permitted\n", "permitted"],
    ["  egress: 'refused' # no\n", "refused"],
    ["  egress: Refused\n", "invalid"],
    ["  egress: no\n", "invalid"],
    ["  egress:\n", "invalid"],
    ["  egress: [refused]\n", "invalid"],
  ])("consent is permitted or refused, and anything else is neither: %j", (line, egress) => {
    expect(parseProjectConfig(`tracker:\n  provider: linear\n${line}`).tracker.egress).toBe(egress);
  });

  test.each([
    ["tracker:\n  ownership: {mode: a}\n  doctrine: {mode: b}\n", "a"],
    ["tracker:\n  doctrine: {mode: b}\n  ownership: ~\n", "b"],
    ["tracker:\n  doctrine: {field_owners: ~}\n", "external_authoritative"],
  ])("ownership wins over its older spelling: %j", (text, mode) => {
    expect(parseProjectConfig(text).tracker.ownership).toEqual({
      mode,
      fieldOwners: {},
      conflictStrategy: null,
    });
  });
});

describe("binding", () => {
  const before = spliceConfig("", {
    tracker: {
      provider: "linear",
      binding_ref: "srm_1",
      project_slug: "legacy",
      display_label: "Old",
      provider_context: { team: "Old" },
      workspace: "w",
    },
  }).concat("  doctrine: {mode: m}\n  egress: on\n");
  const bare: Binding = {
    provider: "linear",
    bindingRef: "srm_2",
    displayLabel: null,
    providerContext: null,
    projectSlug: null,
    workspace: null,
  };
  const bound = (binding: Binding): string =>
    spliceConfig(before, { tracker: bindingEdit(parseProjectConfig(before).tracker, binding) });

  test("to the same provider keeps what the new binding does not know", () => {
    expect(bound(bare)).toBe(before.replace("srm_1", "srm_2"));
  });

  test("to the same provider takes what the new binding knows", () => {
    const { tracker } = parseProjectConfig(
      bound({ ...bare, displayLabel: "New", providerContext: { site: "New" }, projectSlug: "new" }),
    );
    expect(tracker).toMatchObject({ displayLabel: "New", projectSlug: "new", workspace: "w" });
    expect(tracker.providerContext).toEqual({ site: "New" });
  });

  test("to another provider drops the old one's facts, not the ownership or unknown keys", () => {
    expect(bound({ ...bare, provider: "jira" })).toBe(
      "tracker:\n  provider: jira\n  binding_ref: srm_2\n  doctrine: {mode: m}\n  egress: on\n",
    );
  });

  test("is undone by unbind", () => {
    const after = spliceConfig(bound(bare), { tracker: unbindEdit() });
    expect(after).toBe("tracker:\n  doctrine: {mode: m}\n  egress: on\n");
    expect(
      spliceConfig(spliceConfig("a: 1\n", { tracker: bindingEdit(nothing, bare) }), {
        tracker: unbindEdit(),
      }),
    ).toBe("a: 1\n");
  });

  test.each<[Partial<TrackerSection>, boolean]>([
    [{ provider: "linear", bindingRef: "srm_1" }, true],
    [{ provider: "linear", projectSlug: "legacy" }, true],
    [{ provider: "linear", workspace: "w" }, false],
    [{ provider: "beads", bindingRef: "srm_1" }, false],
    [{ bindingRef: "srm_1" }, false],
    [{ provider: "beads", workspace: "w" }, true],
    [{ provider: "beads" }, false],
  ])("is whole when calls can be routed: %p %p", (tracker, counts) => {
    const { project } = parseProjectConfig("");
    expect(bindingOf({ project, tracker: { ...nothing, ...tracker } }) !== null).toBe(counts);
  });
});
