/** What control planes say and configs hold, where a test does not care for more. */

/** A config that is bound by reference, and the routing key that its calls carry. */
export const BOUND = "tracker:\n  provider: linear\n  binding_ref: srm_1\n";
export const KEY = { provider: "linear", binding_ref: "srm_1" };

/** A config from before there were references, and what an answer upgrades it with. */
export const LEGACY = "tracker:\n  provider: linear\n  project_slug: payments-api\n";
export const UPGRADE = {
  binding_ref: "srm_2",
  display_label: "Payments (PAY)",
  provider_context: { team_key: "PAY" },
};

/** The reference of an issue. */
export const refOf = (key: string) => ({
  system: "linear",
  id: `id-${key}`,
  workspace: "acme",
  key,
  url: `https://linear.example/${key}`,
});

/** An issue as a pull gives it. */
export const issue = (key: string, facts: object = {}) => ({
  ref: refOf(key),
  title: `Title of ${key}`,
  body: null,
  status: "todo",
  issue_type: "task",
  priority: 0,
  assignees: [],
  labels: [],
  parent_ref: null,
  links: [],
  custom_fields: {},
  created_at: "2026-01-01T00:00:00Z",
  updated_at: "2026-01-02T00:00:00Z",
  provider_metadata: {},
  ...facts,
});
