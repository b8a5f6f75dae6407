/** What Jira accepts when issues are created and edited, field by field, and how it refuses the rest. */
import * as v from "valibot";
import { isDocument } from "./adf.ts";
import type { Fields, Issue, Project, Property, Site } from "./site.ts";

/** What is wrong with a write, by field. */
export class Refused extends Error {
  readonly errors: Readonly<Record<string, string>>;

  constructor(errors: Readonly<Record<string, string>>) {
    super("refused");
    this.errors = errors;
  }
}

const Operation = v.record(v.string(), v.unknown());
const PropertyEntry = v.strictObject({ key: v.string(), value: v.unknown() });

/** Body of a create or an edit. */
export const Write = v.strictObject({
  fields: v.optional(v.record(v.string(), v.unknown()), {}),
  update: v.optional(v.record(v.string(), v.array(Operation)), {}),
  properties: v.optional(v.array(PropertyEntry), []),
  transition: v.optional(v.unknown()),
  historyMetadata: v.optional(v.unknown()),
});
export type Write = v.InferOutput<typeof Write>;

const Named = v.looseObject({ id: v.optional(v.string()), name: v.optional(v.string()) });
const User = v.looseObject({ id: v.optional(v.string()), accountId: v.optional(v.string()) });
const Reference = v.looseObject({ id: v.optional(v.string()), key: v.optional(v.string()) });
const Labels = v.array(v.string());

/** Creates an issue. @throws Refused */
export function create(site: Site, write: Write): Issue {
  const { project: named, ...fields } = write.fields;
  const project = v.is(Reference, named) ? site.project(named.id ?? named.key ?? "") : null;
  if (project === null || project.access === "none" || project.state === "deleted") {
    throw new Refused({ project: "valid project is required" });
  }
  const blank: Fields = {
    summary: "",
    description: null,
    type: typeOf(project, fields.issuetype ?? {}),
    status: first(project.workflow.statuses),
    priority: project.priorities.find(({ name }) => name === "Medium") ?? null,
    assignee: null,
    labels: [],
    parent: null,
    custom: {},
  };
  for (const name of ["summary", ...project.required]) {
    if (fields[name] === undefined) throw new Refused({ [name]: `${name} is required.` });
  }
  const changed = changedFields(site, project, blank, { ...write, fields });
  const { type, parent } = changed;
  if (type.subtask && parent === null) {
    throw new Refused({ parent: "Issue type is a sub-task but parent issue key or id not specified." });
  }
  return site.add(project.id, changed, write.properties);
}

/** The fields of an issue after a write. @throws Refused */
export function changedFields(
  site: Site,
  project: Project,
  before: Fields,
  { fields, update }: Write,
): Fields {
  const after = { ...before };
  for (const name of Object.keys(fields)) {
    if (Object.hasOwn(update, name))
      throw new Refused({ [name]: `Field '${name}' cannot appear in both 'fields' and 'update'` });
  }
  for (const [name, value] of Object.entries(fields)) set(site, project, after, name, value);
  for (const [name, operations] of Object.entries(update)) {
    for (const operation of operations) operate(site, project, after, name, operation);
  }
  const parent = after.parent === null ? null : site.issue(after.parent);
  if (parent !== null && !fits(project, after, parent)) {
    throw new Refused({ parentId: "Given parent work item does not belong to appropriate hierarchy." });
  }
  return after;
}

function fits(project: Project, { type }: Fields, parent: Issue): boolean {
  if (parent.projectId === project.id && project.style === "next-gen") return true;
  return (
    parent.fields.type.hierarchyLevel === type.hierarchyLevel + 1 &&
    (!type.subtask || parent.projectId === project.id)
  );
}

function operate(
  site: Site,
  project: Project,
  after: Fields,
  name: string,
  operation: Readonly<Record<string, unknown>>,
): void {
  const [[verb, value] = []] = Object.entries(operation);
  if (name === "labels" && typeof value === "string") {
    const others = after.labels.filter((label) => label !== value);
    if (verb === "add" || verb === "remove") {
      set(site, project, after, name, verb === "add" ? [...others, value] : others);
      return;
    }
  }
  if (verb !== "set") throw new Refused({ [name]: `Field '${name}' does not support operation '${verb}'` });
  const isNone = name === "parent" && v.is(v.strictObject({ none: v.literal(true) }), value);
  if (isNone && after.type.subtask) throw new Refused({ parent: "A subtask cannot be without its parent." });
  set(site, project, after, name, isNone ? null : value);
}

function set(site: Site, project: Project, after: Fields, name: string, value: unknown): void {
  if (project.hidden.includes(name)) throw unknownField(name);
  switch (name) {
    case "summary": {
      if (typeof value !== "string") throw new Refused({ summary: "Operation value must be a string" });
      if (value.trim() === "") throw new Refused({ summary: "You must specify a summary of the issue." });
      if (/[\r\n]/.test(value))
        throw new Refused({ summary: "The summary is invalid because it contains newline characters." });
      if (value.length > 255) throw new Refused({ summary: "Summary can't exceed 255 characters." });
      after.summary = value;
      return;
    }
    case "description":
      if (value !== null && !isDocument(value)) {
        throw new Refused({
          description: "Operation value must be an Atlassian Document (see the Atlassian Document Format)",
        });
      }
      after.description = value;
      return;
    case "issuetype": {
      const type = typeOf(project, value);
      if (type.subtask !== after.type.subtask)
        throw new Refused({ issuetype: "The issue type selected is invalid." });
      after.type = type;
      return;
    }
    case "priority": {
      const wanted = v.is(Named, value) ? value : {};
      const priority = project.priorities.find(
        ({ id, name: known }) => id === wanted.id || known === wanted.name,
      );
      if (value !== null && priority === undefined)
        throw new Refused({ priority: "The priority selected is invalid." });
      after.priority = priority ?? null;
      return;
    }
    case "assignee": {
      const wanted = v.is(User, value) ? (value.accountId ?? value.id) : undefined;
      if (value !== null && !site.users.some(({ accountId }) => accountId === wanted)) {
        throw new Refused({ assignee: `User '${wanted}' does not exist.` });
      }
      after.assignee = wanted ?? null;
      return;
    }
    case "labels": {
      if (!v.is(Labels, value)) throw new Refused({ labels: "data was not an array" });
      const unfit = value.find((label) => /\s/.test(label));
      if (unfit !== undefined)
        throw new Refused({ labels: `The label '${unfit}' contains spaces which is invalid.` });
      after.labels = [...new Set(value)];
      return;
    }
    case "parent": {
      const parent = v.is(Reference, value) ? site.issue(value.id ?? value.key ?? "") : null;
      if (value !== null && parent === null)
        throw new Refused({ parent: "Could not find issue by id or key." });
      after.parent = parent?.id ?? null;
      return;
    }
    default:
      if (!/^customfield_\d+$/.test(name)) throw unknownField(name);
      if (value !== null && project.paragraphs.includes(name) && !isDocument(value)) {
        throw new Refused({
          [name]: "Operation value must be an Atlassian Document (see the Atlassian Document Format)",
        });
      }
      if (value !== null && !project.paragraphs.includes(name) && typeof value !== "string")
        throw new Refused({ [name]: "Operation value must be a string" });
      after.custom = { ...after.custom, [name]: value };
  }
}

function unknownField(name: string): Refused {
  return new Refused({
    [name]: `Field '${name}' cannot be set. It is not on the appropriate screen, or unknown.`,
  });
}

function typeOf({ types }: Project, value: unknown): Fields["type"] {
  const wanted = v.is(Named, value) ? value : {};
  const type = types.find(({ id, name }) => id === wanted.id || name === wanted.name);
  if (type === undefined) throw new Refused({ issuetype: "Specify a valid issue type" });
  return type;
}

function first<T>([one]: readonly T[]): T {
  if (one === undefined) throw new Error("there has to be one");
  return one;
}

/** Sets a property of an issue. */
export function putProperty({ properties }: Issue, property: Property): void {
  const known = properties.findIndex(({ key }) => key === property.key);
  properties.splice(known === -1 ? properties.length : known, 1, property);
}
