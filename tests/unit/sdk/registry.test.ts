import { expect, test } from "bun:test";
import * as v from "valibot";
import { ConnectorConfigError } from "../../../src/sdk/errors.ts";
import type { IssueFields } from "../../../src/sdk/model.ts";
import { CONNECTORS, createLocalConnector } from "../../../src/sdk/registry.ts";

test("the catalog names every tracker, and whether it is here or elsewhere", () => {
  const modes = Object.entries(CONNECTORS).map(([name, { mode }]) => `${name} ${mode}`);
  expect(modes.toSorted()).toEqual([
    "beads local",
    "fp local",
    "github hosted",
    "gitlab hosted",
    "jira hosted",
    "linear hosted",
    "memory local",
  ]);
});

test("an entry's schema tells good params from bad ones", () => {
  expect(v.is(CONNECTORS.github.params, { owner: "acme", repo: "api" })).toBe(true);
  expect(v.is(CONNECTORS.github.params, { owner: "acme" })).toBe(false);
});

const FIELDS: IssueFields = {
  title: "First",
  body: null,
  status: "todo",
  issueType: "task",
  priority: null,
  assignees: [],
  labels: [],
  parent: null,
  links: [],
  customFields: {},
};

test("a local connector is loaded and works, and each one is a tracker of its own", async () => {
  const connector = await createLocalConnector("memory", { system: "notes", workspace: "mine" });
  expect(connector).toMatchObject({ provider: "notes", workspace: "mine" });
  const { ref } = await connector.createIssue(FIELDS, { idempotencyKey: "k1" });
  expect((await connector.getIssue(ref)).title).toBe("First");

  const other = await createLocalConnector("memory", {});
  expect(other).toMatchObject({ provider: "memory", workspace: "demo" });
  expect((await other.listIssues({})).items).toEqual([]);
});

test("wrong params are refused by their path", async () => {
  const made = createLocalConnector("memory", { workspace: "" });
  const failure = await made.catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ConnectorConfigError);
  expect(failure).toMatchObject({ message: "memory: params.workspace: must not be empty" });
});
