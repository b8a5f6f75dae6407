import { type Capabilities, NO_CAPABILITIES } from "../../capabilities.ts";
import {
  CapabilityNotSupportedError,
  ConnectorConfigError,
  ConnectorRequestError,
  IssueNotFoundError,
  notApplied,
} from "../../errors.ts";
import type {
  CanonicalComment,
  CanonicalIssue,
  CanonicalLink,
  CanonicalStatus,
  IssueFields,
  IssuePatch,
} from "../../model.ts";
import { sentence } from "../../text.ts";
import { markOf, withMark } from "../shared/marker.ts";
import { firstLine, type Program, type ProgramResult, withTextFile } from "../shared/program.ts";
import type { ApiPage, ChangeQuery, ProviderApi } from "../shared/provider-connector.ts";
import { SnapshotReader } from "../shared/snapshot.ts";
import { nativeStatus } from "../shared/statuses.ts";
import {
  canonicalIssues,
  FP,
  type FpIssue,
  nativePriority,
  readComments,
  readIssues,
  SETTABLE_STATUS,
} from "./map.ts";

/** fp has no types; labels are optional and removing parents is undocumented. People assign and close. */
const CAPABILITIES: Capabilities = {
  ...NO_CAPABILITIES,
  comments: true,
  dependencies: true,
  bulkRead: true,
  currentReads: true,
  priority: true,
  statuses: ["todo", "in_progress"],
  linkTypes: ["blocks", "blocked_by"],
};

/** `fp issue list` lacks comments; fp does not mark an issue as changed when another depends on it. */
export class FpApi implements ProviderApi {
  readonly provider = FP;
  readonly workspace: string;
  readonly capabilities = CAPABILITIES;
  readonly #program: Program;
  readonly #reader: SnapshotReader;

  constructor(program: Program, workspace: string) {
    this.#program = program;
    this.workspace = workspace;
    this.#reader = new SnapshotReader(FP, async () => canonicalIssues(await this.#list(), workspace));
  }

  listChanges(query: ChangeQuery): Promise<ApiPage<CanonicalIssue>> {
    return this.#reader.list(query);
  }

  get(id: string): Promise<CanonicalIssue> {
    return this.#reader.get(id);
  }

  /** By id, short id, or short id with the project's prefix, such as `PAY-sxflialv`. */
  async find(key: string): Promise<CanonicalIssue | null> {
    const wanted = key.toLowerCase();
    const short = wanted.slice(wanted.lastIndexOf("-") + 1);
    const issues = await this.#list();
    const found = issues.find(
      ({ issue: { id, shortId } }) =>
        id.toLowerCase() === wanted || (shortId !== "" && shortId.toLowerCase() === short),
    );
    return canonicalIssues(issues, this.workspace).find(({ ref }) => ref.id === found?.issue.id) ?? null;
  }

  search(text: string | null, limit: number): Promise<readonly CanonicalIssue[]> {
    return this.#reader.search(text, limit);
  }

  /** The mark is in the description, the only text that fp stores unchanged. */
  async create(fields: IssueFields, idempotencyKey: string): Promise<CanonicalIssue> {
    if (fields.labels.length > 0) throw noLabels();
    const mark = markOf(idempotencyKey);
    await this.#write([
      "issue",
      "create",
      ...option("title", fields.title),
      ...option("description", withMark(fields.body, mark)),
      ...(fields.priority === null ? [] : option("priority", nativePriority(fields.priority))),
    ]);
    const created = await this.findCreated(idempotencyKey);
    if (created === null) throw notApplied(FP, "the new issue");
    return created;
  }

  async findCreated(idempotencyKey: string): Promise<CanonicalIssue | null> {
    const wanted = markOf(idempotencyKey);
    const issues = await this.#list();
    const found = issues.find(({ mark }) => mark === wanted);
    return canonicalIssues(issues, this.workspace).find(({ ref }) => ref.id === found?.issue.id) ?? null;
  }

  async update({ ref }: CanonicalIssue, { title, body, priority, labels }: IssuePatch): Promise<null> {
    if (labels !== undefined) throw noLabels();
    const args = [
      ...(title === undefined ? [] : option("title", title)),
      ...(body === undefined ? [] : option("description", body ?? "")),
      ...(priority === undefined ? [] : option("priority", nativePriority(priority))),
    ];
    await this.#update(ref.id, args);
    return null;
  }

  async transition({ ref }: CanonicalIssue, status: CanonicalStatus): Promise<null> {
    await this.#update(ref.id, option("status", nativeStatus(FP, SETTABLE_STATUS, status)));
    return null;
  }

  link(current: CanonicalIssue, link: CanonicalLink): Promise<null> {
    return this.#depend(current, link, (dependencies, id) => [...dependencies, id]);
  }

  unlink(current: CanonicalIssue, link: CanonicalLink): Promise<null> {
    return this.#depend(current, link, (dependencies, id) => dependencies.filter((other) => other !== id));
  }

  async comments(id: string): Promise<ApiPage<CanonicalComment>> {
    const items = (await this.#comments(id)).map(({ comment }) => comment);
    return { items, next: null };
  }

  async findComment(id: string, idempotencyKey: string): Promise<CanonicalComment | null> {
    const wanted = markOf(idempotencyKey);
    return (await this.#comments(id)).find(({ mark }) => mark === wanted)?.comment ?? null;
  }

  async comment(id: string, body: string, idempotencyKey: string): Promise<CanonicalComment> {
    await withTextFile(withMark(body, markOf(idempotencyKey)), (path) =>
      this.#write(["comment", "add", id, "--file", path]),
    );
    const written = await this.findComment(id, idempotencyKey);
    if (written === null) throw notApplied(FP, "the comment");
    return written;
  }

  /** `--depends` replaces the whole list, so the list is read first and its other ids are kept. */
  async #depend(
    { ref }: CanonicalIssue,
    { type, target }: CanonicalLink,
    change: (dependencies: readonly string[], id: string) => readonly string[],
  ): Promise<null> {
    const [from, to] = type === "blocks" ? [target.id, ref.id] : [ref.id, target.id];
    const issues = await this.#list();
    const [{ issue }] = [issueOf(issues, from), issueOf(issues, to)];
    await this.#update(from, option("depends", change(issue.dependencies ?? [], to).join(",")));
    return null;
  }

  async #comments(id: string) {
    issueOf(await this.#list(), id);
    return readComments(await this.#run(["comment", "list", id, "--format", "json"]));
  }

  async #list(): Promise<readonly FpIssue[]> {
    return readIssues(await this.#run(["issue", "list", "--format", "json"]));
  }

  #update(id: string, args: readonly string[]): Promise<void> {
    return this.#write(["issue", "update", ...args, id]);
  }

  async #write(args: readonly string[]): Promise<void> {
    this.#reader.invalidate();
    await this.#run(args);
  }

  async #run(args: readonly string[]): Promise<string> {
    const outcome = await this.#program.run(args);
    if (outcome.exitCode === 0) return outcome.stdout;
    throw failureOf(outcome);
  }
}

/** A value that starts with a dash would be read as an option. */
function option(name: string, value: string): readonly string[] {
  return value.startsWith("-") ? [`--${name}=${value}`] : [`--${name}`, value];
}

function issueOf(issues: readonly FpIssue[], id: string): FpIssue {
  const found = issues.find(({ issue }) => issue.id === id);
  if (found === undefined) throw new IssueNotFoundError(FP, id);
  return found;
}

function noLabels(): CapabilityNotSupportedError {
  return new CapabilityNotSupportedError(FP, "labels", `${FP} does not support setting labels.`);
}

/** fp reports errors as prose on either stream, with exit code 1. */
function failureOf({ exitCode, stdout, stderr }: ProgramResult): Error {
  const text = `${stderr}\n${stdout}`.replace(/^timestamp=.*$/gm, "");
  const message = `fp: ${firstLine(text) || `failed with exit code ${exitCode}`}`;
  if (/\.fp directory not found|not registered with fp/i.test(text)) {
    const advice = `Run "fp init" there, or set "cwd" to the folder of the project.`;
    return new ConnectorConfigError(FP, `${sentence(message)} ${advice}`);
  }
  const failureClass = /database is locked|timed out/i.test(text)
    ? "transient"
    : /^issue \S+ not found/im.test(text)
      ? "not_found"
      : "invalid";
  return new ConnectorRequestError(message, { provider: FP, failureClass });
}
