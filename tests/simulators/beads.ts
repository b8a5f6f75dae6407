/**
 * A stand-in for the program `bd`, over one JSON file: the commands that a
 * connector needs, with the flags, the answers, the refusals and the quirks that
 * the documentation of beads 1.3 tells of (https://github.com/gastownhall/beads,
 * docs/cli-reference and docs/JSON_SCHEMA.md). Everything else is refused, as an
 * unknown flag is. Runs as `bun tests/simulators/beads.ts …` where there is a
 * folder `.beads`, here or further up.
 */
import { existsSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ProgramResult } from "../../src/sdk/connectors/shared/program.ts";

interface Dependency {
  readonly issue_id: string;
  readonly depends_on_id: string;
  readonly type: string;
  readonly created_at: string;
}

interface Comment {
  readonly id: string;
  readonly issue_id: string;
  readonly author: string;
  readonly text: string;
  readonly created_at: string;
}

interface Issue {
  readonly id: string;
  title: string;
  description: string;
  status: string;
  priority: number;
  issue_type: string;
  assignee: string;
  readonly created_at: string;
  updated_at: string;
  closed_at: string | null;
  metadata: Record<string, unknown>;
  labels: string[];
  dependencies: Dependency[];
  comments: Comment[];
}

/** What the JSON file holds. Tests may write it, too. */
export interface BeadsStore {
  readonly prefix: string;
  /** The clock, in milliseconds; it stands still. */
  now: number;
  created: number;
  /** Statuses that the project made up, with their categories; "" for none. */
  statuses: Record<string, string>;
  issues: Issue[];
}

/** Where the store is, below the project. */
export const BEADS_FILE = join(".beads", "simulated.json");

const STATUSES = ["open", "in_progress", "blocked", "deferred", "closed", "pinned", "hooked"];
const TYPES = "bug feature task epic chore decision spike story milestone message".split(" ");

class Refusal extends Error {}

/** Flags by command. Lists, which take CSV, and arrays may come again; of texts the last one counts. */
const FLAGS: Readonly<Record<string, Readonly<Record<string, "array" | "list" | "switch" | "text">>>> = {
  create: {
    title: "text",
    type: "text",
    priority: "text",
    labels: "list",
    metadata: "text",
    "body-file": "text",
    description: "text",
    assignee: "text",
  },
  update: {
    title: "text",
    type: "text",
    priority: "text",
    parent: "text",
    status: "text",
    assignee: "text",
    "add-label": "list",
    "remove-label": "list",
    metadata: "text",
    "unset-metadata": "array",
    "body-file": "text",
    description: "text",
    "allow-empty-description": "switch",
  },
  "dep add": { type: "text" },
  "dep remove": {},
  "comments add": { file: "text" },
  delete: { force: "switch" },
  export: {},
  statuses: {},
};

interface Call {
  readonly command: string;
  readonly isJson: boolean;
  readonly flags: ReadonlyMap<string, readonly string[]>;
  readonly rest: readonly string[];
}

/** Where and how a command runs. */
interface Surroundings {
  readonly cwd: string;
  readonly stdin: () => string;
  /** JSON comes in the envelope of `BD_JSON_ENVELOPE=1`. */
  readonly isEnveloped: boolean;
}

/** Runs one command and returns what it prints. */
export function runBeads(args: readonly string[], { cwd, stdin, isEnveloped }: Surroundings): ProgramResult {
  const json = (answer: object): string => {
    const marked = Array.isArray(answer) ? answer : { ...answer, schema_version: 1 };
    return `${JSON.stringify(isEnveloped ? { schema_version: 1, data: answer } : marked, null, 2)}\n`;
  };
  let isJson = args.includes("--json");
  try {
    const call = parse(args);
    isJson = call.isJson;
    const file = storeFile(cwd);
    const store: BeadsStore = JSON.parse(readFileSync(file, "utf8"));
    const answer = new Tracker(store, stdin).perform(call);
    writeFileSync(file, JSON.stringify(store));
    const stdout = typeof answer === "string" ? answer : isJson ? json(answer) : "✓ Done\n";
    return { exitCode: 0, stdout, stderr: "" };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { message } = error;
    return isJson
      ? { exitCode: 1, stdout: json({ error: message }), stderr: "" }
      : { exitCode: 1, stdout: "", stderr: `Error: ${message}\n` };
  }
}

function parse(args: readonly string[]): Call {
  const words: string[] = [];
  const flags = new Map<string, readonly string[]>();
  let isJson = false;
  let left = [...args];
  const known = () => FLAGS[words.slice(0, 2).join(" ")] ?? FLAGS[words[0] ?? ""] ?? {};
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    if (word === "--") {
      words.push(...left);
      left = [];
    } else if (word === "--json") isJson = true;
    else if (!word.startsWith("-") || word === "-") words.push(word);
    else {
      const [name = "", ...value] = word.replace(/^--/, "").split("=");
      const kind = known()[name];
      if (kind === undefined || !word.startsWith("--"))
        throw new Refusal(`unknown flag: ${word.split("=")[0]}`);
      const given = kind === "switch" ? "true" : value.length > 0 ? value.join("=") : left.shift();
      if (given === undefined) throw new Refusal(`flag needs an argument: --${name}`);
      const before = flags.get(name) ?? [];
      const added = kind === "list" ? csv(given) : [given];
      flags.set(name, kind === "list" || kind === "array" ? [...before, ...added] : added);
    }
  }
  const command = [words.slice(0, 2).join(" "), words[0] ?? ""].find((name) => FLAGS[name] !== undefined);
  if (command === undefined) throw new Refusal(`unknown command "${words[0]}" for "bd"`);
  return { command, isJson, flags, rest: words.slice(command.split(" ").length) };
}

/** One record of CSV, as the flags that take lists read it. */
function csv(line: string): readonly string[] {
  const fields =
    line.match(/(?:"(?:[^"]|"")*"|[^,"]*)(?:,|$)/g)?.slice(0, line.endsWith(",") ? undefined : -1) ?? [];
  const shown = line === "" ? [] : fields.map((field) => field.replace(/,$/, ""));
  return shown.map((field) => (field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field));
}

function storeFile(cwd: string): string {
  for (let folder = cwd; ; folder = dirname(folder)) {
    const file = join(folder, BEADS_FILE);
    if (existsSync(file)) return file;
    if (folder === dirname(folder)) throw new Refusal("no beads database found. Hint: run 'bd init'");
  }
}

class Tracker {
  readonly #store: BeadsStore;
  readonly #stdin: () => string;

  constructor(store: BeadsStore, stdin: () => string) {
    this.#store = store;
    this.#stdin = stdin;
  }

  perform({ command, flags, rest }: Call): object | string {
    const flag = (name: string) => flags.get(name)?.[0];
    switch (command) {
      case "export":
        return this.#export();
      case "statuses":
        return {
          built_in_statuses: STATUSES.map((name) => ({ name })),
          ...(Object.keys(this.#store.statuses).length > 0 && {
            custom_statuses: Object.entries(this.#store.statuses).map(([name, category]) => ({
              name,
              category: category || "unspecified",
            })),
          }),
        };
      case "create":
        return this.#create(flags);
      case "update":
        return rest.map((id) => this.#update(id, flags));
      case "dep add":
        return this.#depend(this.#resolve(rest[0]), this.#resolve(rest[1]), flag("type") ?? "blocks");
      case "dep remove":
        return this.#undepend(this.#resolve(rest[0]), this.#resolve(rest[1]));
      case "comments add":
        return this.#comment(this.#resolve(rest[0]), flag("file"), rest.slice(1).join(" "));
      default:
        return this.#delete(this.#resolve(rest[0]));
    }
  }

  #instant(): string {
    return new Date(this.#store.now).toISOString().replace(/\.\d+Z$/, "Z");
  }

  /** Parts of an id will do, where only one issue has them. */
  #resolve(id = ""): Issue {
    const exact = this.#store.issues.find((issue) => issue.id === id);
    const partial = this.#store.issues.filter((issue) => issue.id.split("-").at(-1)?.startsWith(id));
    const found = exact ?? (id !== "" && partial.length === 1 ? partial[0] : undefined);
    if (found === undefined) throw new Refusal(`resolving issue ID ${id}: no issue found matching "${id}"`);
    return found;
  }

  /** Empty members are left out; priority 0 is not empty. */
  #export(): string {
    const lines = this.#store.issues.map((issue) => {
      const shown = Object.entries({ _type: "issue", ...issue }).filter(
        ([, value]) => value !== "" && value !== null && !isEmpty(value),
      );
      return `${JSON.stringify({
        ...Object.fromEntries(shown),
        dependency_count: issue.dependencies.length,
        comment_count: issue.comments.length,
      })}\n`;
    });
    return lines.join("");
  }

  #create(flags: Call["flags"]): object {
    const now = this.#instant();
    const issue: Issue = {
      id: `${this.#store.prefix}-${(this.#store.created++ * 7919 + 4243).toString(36)}`,
      title: "",
      description: "",
      status: "open",
      priority: 2,
      issue_type: "task",
      assignee: "",
      created_at: now,
      updated_at: now,
      closed_at: null,
      metadata: {},
      labels: normalize(flags.get("labels") ?? []),
      dependencies: [],
      comments: [],
    };
    if (flags.get("title") === undefined) throw new Refusal("title required");
    this.#edit(issue, flags);
    this.#store.issues.push(issue);
    const { labels: _labels, dependencies: _dependencies, comments: _comments, ...shown } = issue;
    return shown;
  }

  #update(id: string, flags: Call["flags"]): object {
    const issue = this.#resolve(id);
    this.#edit(issue, flags);
    const parent = flags.get("parent")?.[0];
    if (parent !== undefined) {
      issue.dependencies = issue.dependencies.filter(({ type }) => type !== "parent-child");
      if (parent !== "") this.#depend(issue, this.#resolve(parent), "parent-child");
    }
    const labels = new Set([...issue.labels, ...normalize(flags.get("add-label") ?? [])]);
    for (const label of normalize(flags.get("remove-label") ?? [])) labels.delete(label);
    issue.labels = [...labels].sort();
    return issue;
  }

  /** Labels and dependencies are not of the issue itself: they leave `updated_at` as it is. */
  #edit(issue: Issue, flags: Call["flags"]): void {
    const before = JSON.stringify(issue);
    for (const [name, values] of flags) {
      const [value = ""] = values;
      switch (name) {
        case "title":
          issue.title = value.trim();
          if (issue.title === "") throw new Refusal("title cannot be empty");
          if (Buffer.byteLength(issue.title) > 500) {
            throw new Refusal(`title must be 500 characters or less (got ${Buffer.byteLength(issue.title)})`);
          }
          break;
        case "description":
        case "body-file": {
          const text =
            name === "description" ? value : value === "-" ? this.#stdin() : readFileSync(value, "utf8");
          if (text === "" && !flags.has("allow-empty-description")) {
            throw new Refusal("refusing to clear the description: --allow-empty-description is required");
          }
          issue.description = text;
          break;
        }
        case "status":
          if (!STATUSES.includes(value) && this.#store.statuses[value] === undefined) {
            throw new Refusal(`invalid status "${value}"`);
          }
          issue.status = value;
          issue.closed_at = value === "closed" ? this.#instant() : null;
          break;
        case "priority":
          if (!/^P?[0-4]$/.test(value)) throw new Refusal(`invalid priority "${value}"`);
          issue.priority = Number(value.replace("P", ""));
          break;
        case "type":
          if (!TYPES.includes(value)) throw new Refusal(`invalid issue type: ${value}`);
          issue.issue_type = value;
          break;
        case "assignee":
          issue.assignee = value;
          break;
        case "metadata": {
          if (flags.has("unset-metadata")) {
            throw new Refusal("cannot combine --metadata with --set-metadata or --unset-metadata");
          }
          issue.metadata = { ...issue.metadata, ...jsonObject(value) };
          break;
        }
        case "unset-metadata":
          for (const gone of values) delete issue.metadata[gone];
          break;
      }
    }
    if (JSON.stringify(issue) !== before) issue.updated_at = this.#instant();
  }

  #depend(from: Issue, to: Issue, type: string): object {
    const known = from.dependencies.find(({ depends_on_id }) => depends_on_id === to.id);
    if (known !== undefined && known.type !== type) {
      throw new Refusal(`dependency already exists with type ${known.type}`);
    }
    if (type === "blocks" && this.#reaches(to, from.id)) {
      throw new Refusal("adding dependency would create a cycle");
    }
    if (known === undefined) {
      from.dependencies.push({
        issue_id: from.id,
        depends_on_id: to.id,
        type,
        created_at: this.#instant(),
      });
    }
    return { status: "added", issue_id: from.id, depends_on_id: to.id, type };
  }

  #reaches(from: Issue, id: string): boolean {
    return (
      from.id === id ||
      from.dependencies.some(
        ({ type, depends_on_id }) => type === "blocks" && this.#reaches(this.#resolve(depends_on_id), id),
      )
    );
  }

  #undepend(from: Issue, to: Issue): object {
    const left = from.dependencies.filter(({ depends_on_id }) => depends_on_id !== to.id);
    if (left.length === from.dependencies.length) throw new Refusal("dependency not found");
    from.dependencies = left;
    return { status: "removed", issue_id: from.id, depends_on_id: to.id };
  }

  #comment(issue: Issue, file: string | undefined, words: string): object {
    const text = file === undefined ? words : readFileSync(file, "utf8");
    if (text === "") throw new Refusal("comment text required (use positional args or -f to read from file)");
    const comment = {
      id: `comment-${this.#store.created++}`,
      issue_id: issue.id,
      author: "Ada",
      text,
      created_at: this.#instant(),
    };
    issue.comments.push(comment);
    return comment;
  }

  #delete({ id }: Issue): object {
    this.#store.issues = this.#store.issues.filter((issue) => issue.id !== id);
    for (const issue of this.#store.issues) {
      issue.dependencies = issue.dependencies.filter(({ depends_on_id }) => depends_on_id !== id);
    }
    return { deleted: id };
  }
}

function jsonObject(text: string): object {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal("invalid JSON in --metadata: must be valid JSON");
  }
}

function normalize(labels: readonly string[]): string[] {
  return [...new Set(labels.map((label) => label.trim()).filter((label) => label !== ""))];
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

if (import.meta.main) {
  const { exitCode, stdout, stderr } = runBeads(process.argv.slice(2), {
    cwd: process.cwd(),
    stdin: () => readFileSync(0, "utf8"),
    isEnveloped: process.env.BD_JSON_ENVELOPE === "1",
  });
  writeSync(1, stdout);
  writeSync(2, stderr);
  process.exitCode = exitCode;
}
