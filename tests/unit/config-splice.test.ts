import { describe, expect, test } from "bun:test";
import { parse } from "yaml";
import { type ConfigEdit, parseProjectConfig, spliceConfig, unbindEdit } from "../../src/config.ts";
import { ConfigError } from "../../src/shared/errors.ts";

const lines = (...all: string[]): string => `${all.join("\n")}\n`;
const crlf = (text: string): string => text.replaceAll("\n", "\r\n");

const provider: ConfigEdit = { tracker: { provider: "linear" } };
const unbind: ConfigEdit = { tracker: unbindEdit() };
const owner: ConfigEdit = {
  ownership: { mode: "split_ownership", field_owners: { title: "local", status: "external" } },
};
const context: ConfigEdit = { tracker: { provider_context: { team: "Core", site: "Acme" } } };

/** What is edited, the text before, the edit, the text after: exact bytes. */
const cases: [name: string, before: string, edit: ConfigEdit, after: string][] = [
  // Ownership
  [
    "ownership is added after the rest",
    lines("tracker:", "  provider: beads", "  extra: 1"),
    owner,
    lines(
      "tracker:",
      "  provider: beads",
      "  ownership:",
      "    mode: split_ownership",
      "    field_owners:",
      "      title: local",
      "      status: external",
      "  extra: 1",
    ),
  ],
  [
    "its unknown members and comments stay",
    lines(
      "tracker:",
      "  doctrine: # who is right",
      "    strategy: newer # for now",
      "    mode: external_authoritative",
      "    field_owners: {}",
    ),
    owner,
    lines(
      "tracker:",
      "  doctrine: # who is right",
      "    strategy: newer # for now",
      "    mode: split_ownership",
      "    field_owners:",
      "      title: local",
      "      status: external",
    ),
  ],
  [
    "under its other spelling, where the file has that",
    lines("tracker:", "  ownership: { mode: x, later: [1] }", "  doctrine: null"),
    { ownership: { mode: "split_ownership" } },
    lines("tracker:", '  ownership: { mode: "split_ownership", later: [1] }', "  doctrine: null"),
  ],
  [
    "a null becomes it, next to the binding",
    lines("tracker:", "  doctrine:", "  provider: linear"),
    { tracker: { provider: "beads", workspace: "w" }, ownership: { mode: "split_ownership" } },
    lines("tracker:", "  doctrine:", "    mode: split_ownership", "  provider: beads", "  workspace: w"),
  ],
  [
    "equal ownership is left alone",
    lines("tracker:", "  doctrine: {mode: split_ownership, field_owners: {status: external, title: local}}"),
    owner,
    lines("tracker:", "  doctrine: {mode: split_ownership, field_owners: {status: external, title: local}}"),
  ],
  // New sections
  ["an empty file gets the section", "", provider, lines("tracker:", "  provider: linear")],
  [
    "both sections, in order, with known keys in documented order",
    "",
    {
      tracker: { workspace: null, display_label: "Team", binding_ref: "srm_1", provider: "linear" },
      project: { node_id: "ab12", uuid: "u-1" },
    },
    lines(
      "project:",
      "  uuid: u-1",
      "  node_id: ab12",
      "tracker:",
      "  provider: linear",
      "  binding_ref: srm_1",
      "  display_label: Team",
      "  workspace: null",
    ),
  ],
  ["a file of comments", "# hi\n", provider, lines("# hi", "tracker:", "  provider: linear")],
  ["a file of comments, no final newline", "# hi", provider, "# hi\ntracker:\n  provider: linear"],
  ["only a byte order mark", "\ufeff", provider, "\ufefftracker:\n  provider: linear\n"],
  ["appended after other keys", "a: 1\n", provider, lines("a: 1", "tracker:", "  provider: linear")],
  ["a missing final newline stays missing", "a: 1", provider, "a: 1\ntracker:\n  provider: linear"],
  [
    "before a document end marker",
    lines("---", "a: 1", "...", "# end"),
    provider,
    lines("---", "a: 1", "tracker:", "  provider: linear", "...", "# end"),
  ],
  ["only a document start", "---\n", provider, lines("---", "tracker:", "  provider: linear")],
  [
    "new lines end like the old ones, and the mark stays",
    "\ufeffa: 1\r\n",
    provider,
    "\ufeffa: 1\r\ntracker:\r\n  provider: linear\r\n",
  ],
  [
    "new lines indent like the old ones",
    lines("a:", "    b: 1"),
    context,
    lines("a:", "    b: 1", "tracker:", "    provider_context:", "        team: Core", "        site: Acme"),
  ],
  [
    "after a kept block text",
    lines("a: |+", "  text", "", ""),
    provider,
    lines("a: |+", "  text", "", "", "tracker:", "  provider: linear"),
  ],
  // Empty sections
  [
    "a section without value",
    lines("tracker:", "  # later", "z: 1"),
    provider,
    lines("tracker:", "  provider: linear", "  # later", "z: 1"),
  ],
  ["a null section", "tracker: ~ # none\n", provider, lines("tracker: # none", "  provider: linear")],
  ["an empty flow section", "tracker: {}\n", provider, lines("tracker:", "  provider: linear")],
  // Values
  [
    "only the value's bytes change",
    lines("tracker:", "  provider:   jira   # ours", "  egress: {a: 1}"),
    provider,
    lines("tracker:", "  provider:   linear   # ours", "  egress: {a: 1}"),
  ],
  [
    "the same value in other quotes is left alone",
    "tracker: \n  provider: 'linear'\n",
    provider,
    "tracker: \n  provider: 'linear'\n",
  ],
  [
    "a key without value",
    lines("tracker:", "  provider: # which?", "  x: 1"),
    provider,
    lines("tracker:", "  provider: linear # which?", "  x: 1"),
  ],
  [
    "a block text",
    lines("tracker:", "  provider: | # why", "    jira", "", "  x: 1"),
    provider,
    lines("tracker:", "  # why", "  provider: linear", "", "  x: 1"),
  ],
  [
    "a value on the next line, with a comment between",
    lines("tracker:", "  provider: # c", "    jira", "  x: 1"),
    provider,
    lines("tracker:", "  # c", "  provider: linear", "  x: 1"),
  ],
  [
    "a text over several lines",
    lines("tracker:", '  provider: "ji', '    ra" # c', "  x: 1"),
    provider,
    lines("tracker:", "  provider: linear # c", "  x: 1"),
  ],
  ["a tagged value", "tracker:\n  provider: !!str jira\n", provider, "tracker:\n  provider: linear\n"],
  ["an anchor nobody uses", "tracker:\n  provider: &p jira\n", provider, "tracker:\n  provider: linear\n"],
  ["a quoted key", '"tracker":\n  "provider": jira\n', provider, '"tracker":\n  "provider": linear\n'],
  ["an explicit key", "tracker:\n  ? provider\n  : jira\n", provider, "tracker:\n  ? provider\n  : linear\n"],
  [
    "to null",
    "tracker:\n  workspace: w # c\n",
    { tracker: { workspace: null } },
    "tracker:\n  workspace: null # c\n",
  ],
  [
    "carriage returns survive",
    crlf(lines("tracker:", "  provider: jira # c", "  x: 1")),
    { tracker: { provider: "linear", binding_ref: "r" } },
    crlf(lines("tracker:", "  provider: linear # c", "  binding_ref: r", "  x: 1")),
  ],
  // Places of new keys
  [
    "after the nearest known key before it",
    lines(
      "tracker:",
      "  egress: on",
      "  provider: linear # c",
      "  # about workspace",
      "  workspace: w",
      "z: 1",
    ),
    { tracker: { display_label: "L", binding_ref: "r" } },
    lines(
      "tracker:",
      "  egress: on",
      "  provider: linear # c",
      "  binding_ref: r",
      "  display_label: L",
      "  # about workspace",
      "  workspace: w",
      "z: 1",
    ),
  ],
  [
    "first, when no known key is there",
    lines("tracker: # head", "  # about egress", "  egress: on"),
    provider,
    lines("tracker: # head", "  provider: linear", "  # about egress", "  egress: on"),
  ],
  [
    "at the open end of the file",
    "tracker:\n  provider: linear",
    { tracker: { binding_ref: "r" }, project: { slug: "s" } },
    "tracker:\n  provider: linear\n  binding_ref: r\nproject:\n  slug: s",
  ],
  // Removal
  [
    "the binding goes, ownership and unknown keys stay",
    lines(
      "a: 1",
      "tracker:",
      "  provider: linear",
      "  binding_ref: r",
      "  provider_context:",
      "    team: Core",
      "  doctrine:",
      "    mode: m",
      "  egress: on",
    ),
    unbind,
    lines("a: 1", "tracker:", "  doctrine:", "    mode: m", "  egress: on"),
  ],
  [
    "an emptied section goes with its key",
    lines("a: 1", "tracker:", "  provider: linear", "  workspace: null", "b: 2"),
    unbind,
    lines("a: 1", "b: 2"),
  ],
  [
    "an emptied section stays for its comments",
    lines("tracker: # head", "  provider: linear # c1", "  # c2", "  workspace: w", "b: 2"),
    unbind,
    lines("tracker: # head", "  # c1", "  # c2", "b: 2"),
  ],
  [
    "comments inside what is removed",
    lines("tracker:", "  provider_context: # c1", "    # c2", "    team: Core # c3", "  egress: on"),
    unbind,
    lines("tracker:", "  # c1", "  # c2", "  # c3", "  egress: on"),
  ],
  ["an emptied flow section", "tracker: {provider: x}\na: 1\n", unbind, "a: 1\n"],
  ["nothing to remove changes nothing", "tracker:\n  egress: on\n", unbind, "tracker:\n  egress: on\n"],
  ["a first key after the mark", "\ufefftracker:\n  provider: x\na: 1\n", unbind, "\ufeffa: 1\n"],
  // Nested mapping
  [
    "a mapping is edited key by key",
    lines(
      "tracker:",
      "  provider_context: # c1",
      "    site: 'Acme' # c2",
      "    gone: x # c3",
      "    team: Old",
    ),
    context,
    lines("tracker:", "  provider_context: # c1", "    site: 'Acme' # c2", "    # c3", "    team: Core"),
  ],
  [
    "an equal mapping is left alone",
    'tracker:\n  provider_context: {site: Acme, team: "Core"}\n',
    context,
    'tracker:\n  provider_context: {site: Acme, team: "Core"}\n',
  ],
  [
    "a null becomes a mapping",
    lines("tracker:", "  provider_context: null # c", "  workspace: w"),
    context,
    lines("tracker:", "  provider_context: # c", "    team: Core", "    site: Acme", "  workspace: w"),
  ],
  [
    "an empty mapping removes the key",
    lines("tracker:", "  provider: x", "  provider_context:", "    team: A"),
    { tracker: { provider_context: {} } },
    lines("tracker:", "  provider: x"),
  ],
  // Flow style
  [
    "flow stays flow",
    "tracker: {egress: {a: b}, provider: jira} # c\nx: 1\n",
    { tracker: { provider: "linear", binding_ref: "r" } },
    'tracker: {egress: {a: b}, provider: "linear", binding_ref: "r"} # c\nx: 1\n',
  ],
  [
    "a flow key without value",
    "tracker: {provider, x: 1}\n",
    provider,
    'tracker: {provider: "linear", x: 1}\n',
  ],
  ["removal in flow", "tracker: { provider: p, x: 1, workspace: w }\n", unbind, "tracker: { x: 1 }\n"],
  [
    "comments in flow",
    lines("tracker: {", "  provider: p, # c1", "  # c2", "  x: 1 # c3, with comma", "  , y: 2,", "}"),
    { tracker: { provider: undefined, binding_ref: "r" } },
    lines(
      "tracker: {",
      '  binding_ref: "r",',
      "  # c1",
      "  # c2",
      "  x: 1 # c3, with comma",
      "  , y: 2,",
      "}",
    ),
  ],
  [
    "JSON stays JSON",
    '{\n  "tracker": {\n    "provider": "jira",\n    "x": [1, {}]\n  },\n  "b": 2\n}\n',
    { tracker: { provider: "linear", binding_ref: "r", workspace: null }, project: { slug: "s" } },
    '{\n  "tracker": {\n    "provider": "linear",\n    "binding_ref": "r",\n    "workspace": null,\n    "x": [1, {}]\n  },\n  "b": 2,\n  "project": {"slug": "s"}\n}\n',
  ],
  ["empty JSON", "{}", provider, '{"tracker": {"provider": "linear"}}'],
  ["JSON section removed", '{"a": 1, "tracker": {"provider": "x"}}', unbind, '{"a": 1}'],
  // What is elsewhere
  [
    "anchors, aliases, merges, tags and odd keys elsewhere",
    lines("x: &x {a: 1}", "y:", "  <<: *x", "? [k]", ": !t v", "tracker: {provider: p}", "z: *x"),
    provider,
    lines("x: &x {a: 1}", "y:", "  <<: *x", "? [k]", ": !t v", 'tracker: {provider: "linear"}', "z: *x"),
  ],
];

describe("spliceConfig", () => {
  test.each(cases)("%s", (_name, before, edit, after) => {
    expect(spliceConfig(before, edit)).toBe(after);
    expect(spliceConfig(after, edit)).toBe(after);
  });

  test("texts that YAML would read as something else come back as texts", () => {
    const texts =
      "yes no on off y n true False null ~ 0123 0o17 0x1F 1e5 .5 1. 1_000 +1 -1 12:30:45 2026-01-02 .inf .NaN = << - ? : # a:b a:_b a_#b [a {a} *a &a !a |a >a %a @a `a 'a \"a a, ---".split(
        " ",
      );
    texts.push(
      "2026-01-02 10:00:00",
      "a: b",
      "a #b",
      " a",
      "a ",
      "a\nb",
      "a\r\nb",
      "\u0085",
      "\u2028",
      "\ufeff",
      "\u0000",
      "\u007f",
      "a\u00a0",
      "日本",
      "😀",
      "a\\b",
      "a\tb",
      "... ",
      "x".repeat(300),
      "word ".repeat(60),
    );
    for (const before of ["", "{}", "tracker: {x: 1}\n", crlf("a: 1\n")]) {
      for (const text of texts) {
        const after = spliceConfig(before, {
          tracker: { display_label: text, provider_context: { [text]: text } },
        });
        const { tracker } = parse(after, { version: "1.1" });
        expect(tracker).toMatchObject({ display_label: text, provider_context: { [text]: text } });
        expect(parse(after, { version: "1.2" }).tracker.display_label).toBe(text);
        expect(parseProjectConfig(after).tracker.displayLabel).toBe(text.trim() === "" ? null : text);
        expect(after).not.toMatch(/[\u0000-\u0009\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028\u2029\ufeff]/);
      }
    }
  });

  const refused: [name: string, before: string, edit: ConfigEdit, code: string][] = [
    [
      "an anchor that is used elsewhere",
      "tracker:\n  provider: &p x\ny: *p\n",
      provider,
      "config_unsupported",
    ],
    [
      "an anchor whose removal gives an alias another meaning",
      "a: &p 1\ntracker:\n  provider: &p x\ny: *p\n",
      provider,
      "config_unsupported",
    ],
    [
      "a removed section that is used elsewhere",
      "tracker: &t\n  provider: x\ny: *t\n",
      unbind,
      "config_unsupported",
    ],
    [
      "a block text without a final newline, whose value would change",
      "a: |\n  text",
      provider,
      "config_unsupported",
    ],
    ["a lone surrogate", "", { tracker: { display_label: "\ud800" } }, "config_invalid"],
    [
      "a new key named __proto__",
      "",
      { tracker: { provider_context: JSON.parse('{"__proto__": "x"}') } },
      "config_invalid",
    ],
    ["an alias without anchor", "y: *p\n", provider, "config_invalid"],
    [
      "a key that YAML cannot hold",
      "",
      { tracker: { provider_context: { ["k".repeat(2000)]: "x" } } },
      "config_unsupported",
    ],
  ];
  test.each(refused)("refuses %s", (_name, before, edit, code) => {
    expect(codeOf(() => spliceConfig(before, edit))).toBe(code);
  });
});

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof ConfigError) return error.code;
    throw error;
  }
  return "nothing was thrown";
}
