import * as v from "valibot";
import { type Capabilities, NO_CAPABILITIES } from "../../capabilities.ts";
import { ConnectorRequestError, IssueNotFoundError, notApplied } from "../../errors.ts";
import type {
  CanonicalComment,
  CanonicalIssue,
  CanonicalLink,
  CanonicalStatus,
  IssueFields,
  IssuePatch,
  JsonValue,
} from "../../model.ts";
import { parsePayload } from "../shared/arguments.ts";
import { markOf, withMark } from "../shared/marker.ts";
import { type Program, withTextFile } from "../shared/program.ts";
import type { ApiPage, ChangeQuery, ProviderApi } from "../shared/provider-connector.ts";
import { SnapshotReader } from "../shared/snapshot.ts";
import { nativeStatus } from "../shared/statuses.ts";
import { bd, readAnswer } from "./command.ts";
import {
  BEADS,
  type BeadsIssue,
  type CustomStatuses,
  canonicalIssues,
  commentsOf,
  createMark,
  dependenciesOf,
  hasCustomStatus,
  LINK_DEPENDENCIES,
  MARK_KEY,
  membersOf,
  nativePriority,
  nativeType,
  readExport,
  SETTABLE_STATUS,
} from "./map.ts";

/** Assigning and closing belong to people. */
const CAPABILITIES: Capabilities = {
  ...NO_CAPABILITIES,
  comments: true,
  hierarchy: true,
  dependencies: true,
  customFields: true,
  bulkRead: true,
  currentReads: true,
  priority: true,
  issueType: true,
  statuses: ["todo", "in_progress", "blocked"],
  linkTypes: ["blocks", "blocked_by", "relates_to", "duplicates"],
};

const Created = v.object({ id: v.pipe(v.string(), v.nonEmpty()) });
const Statuses = v.object({
  custom_statuses: v.optional(
    v.nullable(v.array(v.object({ name: v.string(), category: v.optional(v.string(), "") }))),
  ),
});

/**
 * A beads tracker. `bd export` alone returns whole issues: `bd list` hides closed issues and ends after 50,
 * `bd show` differs between releases. Options are written as `--name=value`, so that no value is taken for an
 * option.
 *
 * `updated_at` ignores changes of labels and links; only a full listing shows them.
 */
export class BeadsApi implements ProviderApi {
  readonly provider = BEADS;
  readonly workspace: string;
  readonly capabilities = CAPABILITIES;
  readonly #program: Program;
  readonly #reader: SnapshotReader;

  constructor(program: Program, workspace: string) {
    this.#program = program;
    this.workspace = workspace;
    this.#reader = new SnapshotReader(BEADS, async () => this.#canonical(await this.#export()));
  }

  listChanges(query: ChangeQuery): Promise<ApiPage<CanonicalIssue>> {
    return this.#reader.list(query);
  }

  get(id: string): Promise<CanonicalIssue> {
    return this.#reader.get(id);
  }

  find(key: string): Promise<CanonicalIssue | null> {
    return this.#reader.find(({ ref }) => ref.id.toLowerCase() === key.toLowerCase());
  }

  search(text: string | null, limit: number): Promise<readonly CanonicalIssue[]> {
    return this.#reader.search(text, limit);
  }

  /** Marks are metadata: external references and ids are bd's or people's. `--parent` would copy labels. */
  async create(fields: IssueFields, idempotencyKey: string): Promise<CanonicalIssue> {
    const metadata = { ...fields.customFields, [MARK_KEY]: markOf(idempotencyKey) };
    const args = [
      `--title=${fields.title}`,
      `--type=${nativeType(fields.issueType)}`,
      ...(fields.priority === null ? [] : [`--priority=${nativePriority(fields.priority)}`]),
      ...fields.labels.map((label) => `--labels=${listItem(label)}`),
      `--metadata=${JSON.stringify(metadata)}`,
    ];
    const body = bodyArguments(fields.body);
    const created = readAnswer(await this.#write(["create", ...args, ...body], fields.body), "create");
    return this.get(parsePayload(BEADS, Created, created, "create").id);
  }

  async findCreated(idempotencyKey: string): Promise<CanonicalIssue | null> {
    const mark = markOf(idempotencyKey);
    const issues = await this.#export();
    const found = issues.find((issue) => createMark(issue) === mark);
    const all = found === undefined ? [] : await this.#canonical(issues);
    return all.find(({ ref }) => ref.id === found?.record.id) ?? null;
  }

  async update(current: CanonicalIssue, patch: IssuePatch): Promise<null> {
    const { title, body, issueType, priority, labels, parent, customFields } = patch;
    const args: string[] = [];
    if (title !== undefined) args.push(`--title=${title}`);
    if (issueType !== undefined) args.push(`--type=${nativeType(issueType)}`);
    if (priority !== undefined) args.push(`--priority=${nativePriority(priority)}`);
    if (parent !== undefined) args.push(`--parent=${parent?.id ?? ""}`);
    if (labels !== undefined) {
      const [had, wants] = [new Set(current.labels), new Set(labels)];
      for (const label of wants.difference(had)) args.push(`--add-label=${listItem(label)}`);
      for (const label of had.difference(wants)) args.push(`--remove-label=${listItem(label)}`);
    }
    if (body !== undefined) {
      args.push(...(body === null || body === "" ? CLEARED_BODY : bodyArguments(body)));
    }
    const removed =
      customFields === undefined
        ? []
        : Object.keys(current.customFields).filter((name) => !Object.hasOwn(customFields, name));
    if (customFields !== undefined && Object.keys(customFields).length > 0) {
      args.push(`--metadata=${JSON.stringify({ ...customFields, ...markIn(current) })}`);
    }
    if (args.length > 0) await this.#update(current.ref.id, args, body ?? null);
    // bd sets and removes metadata in separate calls only.
    if (removed.length > 0) {
      await this.#update(
        current.ref.id,
        removed.map((name) => `--unset-metadata=${name}`),
      );
    }
    return null;
  }

  async transition({ ref }: CanonicalIssue, status: CanonicalStatus): Promise<null> {
    await this.#update(ref.id, [`--status=${nativeStatus(BEADS, SETTABLE_STATUS, status)}`]);
    return null;
  }

  /** bd keeps one dependency per direction between two issues; it would replace or refuse another one. */
  async link({ ref }: CanonicalIssue, { type, target }: CanonicalLink): Promise<null> {
    const [from, to] = type === "blocks" ? [target.id, ref.id] : [ref.id, target.id];
    const issues = await this.#export();
    issueOf(issues, target.id);
    const existing = issues
      .flatMap(dependenciesOf)
      .find(({ issue_id, depends_on_id }) => issue_id === from && depends_on_id === to);
    if (existing !== undefined) {
      const message = `bd allows one dependency from ${from} to ${to}, and it is already "${existing.type}".`;
      throw new ConnectorRequestError(message, { provider: BEADS, failureClass: "invalid" });
    }
    const native = LINK_DEPENDENCIES.get(type)?.[0] ?? type;
    await this.#write(["dep", "add", `--type=${native}`, "--", from, to]);
    return null;
  }

  async unlink({ ref }: CanonicalIssue, { type, target }: CanonicalLink): Promise<null> {
    const natives = LINK_DEPENDENCIES.get(type) ?? [];
    for (const dependency of (await this.#export()).flatMap(dependenciesOf)) {
      const { issue_id, depends_on_id } = dependency;
      const isOwn = issue_id === ref.id && depends_on_id === target.id && type !== "blocks";
      const isOther =
        issue_id === target.id && depends_on_id === ref.id && (type === "blocks" || type === "relates_to");
      if (!natives.includes(dependency.type) || !(isOwn || isOther)) continue;
      await this.#write(["dep", "remove", "--", issue_id, depends_on_id]);
    }
    return null;
  }

  async comments(id: string): Promise<ApiPage<CanonicalComment>> {
    const items = commentsOf(issueOf(await this.#export(), id)).map(({ comment }) => comment);
    return { items, next: null };
  }

  async findComment(id: string, idempotencyKey: string): Promise<CanonicalComment | null> {
    const mark = markOf(idempotencyKey);
    const comments = commentsOf(issueOf(await this.#export(), id));
    return comments.find((candidate) => candidate.mark === mark)?.comment ?? null;
  }

  async comment(id: string, body: string, idempotencyKey: string): Promise<CanonicalComment> {
    await withTextFile(withMark(body, markOf(idempotencyKey)), (path) =>
      this.#write(["comments", "add", `--file=${path}`, "--", id]),
    );
    const written = await this.findComment(id, idempotencyKey);
    if (written === null) throw notApplied(BEADS, "the comment");
    return written;
  }

  async #export(): Promise<readonly BeadsIssue[]> {
    return readExport(await bd(this.#program, ["export"]));
  }

  async #canonical(issues: readonly BeadsIssue[]): Promise<readonly CanonicalIssue[]> {
    return canonicalIssues(issues, this.workspace, await this.#customStatuses(issues));
  }

  /** Read only when an issue has a status of the project's own. */
  async #customStatuses(issues: readonly BeadsIssue[]): Promise<CustomStatuses> {
    if (!issues.some(hasCustomStatus)) return new Map();
    const answer = readAnswer(await bd(this.#program, ["--json", "statuses"]), "statuses");
    const { custom_statuses } = parsePayload(BEADS, Statuses, answer, "statuses");
    return new Map((custom_statuses ?? []).map(({ name, category }) => [name, category]));
  }

  #update(id: string, args: readonly string[], body: string | null = null): Promise<string> {
    return this.#write(["update", ...args, "--", id], body);
  }

  #write(args: readonly string[], body: string | null = null): Promise<string> {
    this.#reader.invalidate();
    return bd(this.#program, ["--json", ...args], body ?? "");
  }
}

function issueOf(issues: readonly BeadsIssue[], id: string): BeadsIssue {
  const issue = issues.find(({ record }) => record.id === id);
  if (issue === undefined) throw new IssueNotFoundError(BEADS, id);
  return issue;
}

/** Bodies can be long, so they go through standard input. */
function bodyArguments(body: string | null): readonly string[] {
  return body === null || body === "" ? [] : ["--body-file=-"];
}
const CLEARED_BODY = ["--description=", "--allow-empty-description"] as const;

/** bd reads lists of labels as a line of CSV. */
function listItem(label: string): string {
  return `"${label.replaceAll('"', '""')}"`;
}

function markIn({ raw }: CanonicalIssue): { readonly [name: string]: JsonValue } {
  const { [MARK_KEY]: mark } = membersOf(membersOf(raw).metadata);
  return mark === undefined ? {} : { [MARK_KEY]: mark };
}
