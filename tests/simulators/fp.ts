/**
 * A stand-in for the program `fp` 0.25, over one JSON file: the commands that a
 * connector needs, with what it prints and its quirks. Everything else is
 * refused. Runs as `bun tests/simulators/fp.ts …` in a folder with `.fp`.
 */
import { existsSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { ProgramResult } from "../../src/sdk/connectors/shared/program.ts";

interface Comment {
  readonly id: string;
  readonly author: string;
  readonly content: string;
  readonly createdAt: string;
}

interface Issue {
  readonly id: string;
  readonly shortId: string;
  title: string;
  description: string;
  status: string;
  priority: string | null;
  parent: string | null;
  dependencies: string[];
  readonly createdAt: string;
  updatedAt: string;
  properties: Record<string, unknown>;
  comments: Comment[];
}

/** What the JSON file holds. Tests may write it, too. */
export interface FpStore {
  readonly prefix: string;
  /** The clock, in milliseconds; it stands still. */
  now: number;
  created: number;
  statuses: string[];
  issues: Issue[];
}

/** Where the store is, below the project. */
export const FP_FILE = join(".fp", "simulated.json");

const PRIORITIES = ["low", "medium", "high", "critical"];
const FLAGS: Readonly<Record<string, readonly string[]>> = {
  "issue list": ["format"],
  "issue create": ["title", "description", "priority", "parent", "depends"],
  "issue update": ["title", "description", "priority", "status", "depends"],
  "issue delete": [],
  "comment list": ["format"],
  "comment add": ["file"],
};

class Refusal extends Error {}

interface Call {
  readonly command: string;
  readonly flags: ReadonlyMap<string, string>;
  readonly rest: readonly string[];
}

/** Runs one command in a folder and returns what it prints. */
export function runFp(args: readonly string[], cwd: string): ProgramResult {
  const file = join(cwd, FP_FILE);
  try {
    const call = parse(args);
    if (!existsSync(file)) {
      throw new Refusal(".fp directory not found\n  Suggestion: Run 'fp init' to initialize a project");
    }
    const store: FpStore = JSON.parse(readFileSync(file, "utf8"));
    const answer = new Project(store).perform(call);
    writeFileSync(file, JSON.stringify(store));
    const log = "timestamp=2026-03-01T09:00:00.000Z level=INFO fiber=#0 message=ready";
    return { exitCode: 0, stdout: `${log}\n${answer}\n`, stderr: "" };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { exitCode: 1, stdout: `${error.message}\n`, stderr: "" };
  }
}

/** A word with a dash is an option wherever it stands, also where a value is expected. */
function parse(args: readonly string[]): Call {
  const [first = "", second = "", ...left] = args;
  const command = `${first} ${second}`;
  const known = FLAGS[command];
  if (known === undefined) throw new Refusal(`Unknown argument: ${second}`);
  const flags = new Map<string, string>();
  const rest: string[] = [];
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    const [, name, given] = /^--([a-z]+)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === undefined && word.startsWith("-")) throw new Refusal(`Unknown argument: ${word}`);
    if (name === undefined) rest.push(word);
    else {
      if (!known.includes(name)) throw new Refusal(`Unknown argument: --${name}`);
      const value = given ?? left.shift();
      if (value === undefined || (given === undefined && value.startsWith("-"))) {
        throw new Refusal(`Missing value for --${name}`);
      }
      flags.set(name, value);
    }
  }
  return { command, flags, rest };
}

class Project {
  readonly #store: FpStore;

  constructor(store: FpStore) {
    this.#store = store;
  }

  perform({ command, flags, rest: [id = ""] }: Call): string {
    switch (command) {
      case "issue list":
        return flags.get("format") === "json" ? this.#json() : this.#lines();
      case "issue create":
        return this.#create(flags);
      case "issue update":
        return this.#update(this.#issue(id), flags);
      case "issue delete":
        this.#store.issues = this.#store.issues.filter((issue) => issue !== this.#issue(id));
        return `Deleted ${id}`;
      case "comment list":
        return JSON.stringify({
          comments: this.#issue(id)
            .comments.map((comment) => ({ issueId: id, ...comment }))
            .toReversed(),
        });
      default:
        return this.#comment(this.#issue(id), flags.get("file"));
    }
  }

  #instant(): string {
    return new Date(this.#store.now).toISOString();
  }

  #displayId({ shortId }: Issue): string {
    return `${this.#store.prefix}-${shortId}`;
  }

  #issue(id: string): Issue {
    const found = this.#store.issues.find(
      (issue) => id !== "" && (issue.id.startsWith(id) || this.#displayId(issue) === id),
    );
    if (found !== undefined) return found;
    throw new Refusal(`Issue ${id} not found\n  Suggestion: Run 'fp issue list' to see available issues`);
  }

  /** Tabs and line breaks in texts come out as they are, which is no JSON. */
  #json(): string {
    const shown = this.#store.issues.map(({ comments: _, ...issue }) => issue);
    return JSON.stringify({ issues: shown }, null, 2).replaceAll("\\n", "\n").replaceAll("\\t", "\t");
  }

  #lines(): string {
    const lines = this.#store.issues.map((issue) => {
      const priority = issue.priority === null ? "" : ` [${issue.priority}]`;
      return `├── ${this.#displayId(issue)} [${issue.status}]${priority} ${issue.title}`;
    });
    return lines.join("\n");
  }

  #create(flags: Call["flags"]): string {
    const title = flags.get("title");
    if (title === undefined) throw new Refusal("Missing required option --title");
    const id = letters(this.#store.created++);
    const now = this.#instant();
    const issue: Issue = {
      id,
      shortId: id.slice(0, 8),
      title,
      description: "",
      status: "todo",
      priority: null,
      parent: null,
      dependencies: [],
      createdAt: now,
      updatedAt: now,
      properties: {},
      comments: [],
    };
    this.#update(issue, flags);
    this.#store.issues.push(issue);
    return `Created issue ${this.#displayId(issue)}: ${title}`;
  }

  #update(issue: Issue, flags: Call["flags"]): string {
    for (const [name, value] of flags) {
      switch (name) {
        case "title":
          issue.title = value;
          break;
        case "description":
          issue.description = value;
          break;
        case "parent":
          issue.parent = this.#issue(value).id;
          break;
        case "status":
          if (!this.#store.statuses.includes(value)) {
            throw new Refusal(`Invalid status: Status "${value}" is not in the registered options.`);
          }
          issue.status = value;
          break;
        case "priority":
          if (!PRIORITIES.includes(value)) throw new Refusal(`Invalid priority: ${value}`);
          issue.priority = value;
          break;
        case "depends":
          issue.dependencies = value === "" ? [] : value.split(",").map((id) => this.#issue(id).id);
          break;
      }
    }
    issue.updatedAt = this.#instant();
    return `Updated issue ${this.#displayId(issue)}`;
  }

  #comment(issue: Issue, file: string | undefined): string {
    if (file === undefined) throw new Refusal("Missing comment message");
    issue.comments.push({
      id: `00000000-0000-4000-8000-${String(this.#store.created++).padStart(12, "0")}`,
      author: "ada@example.com",
      content: readFileSync(file, "utf8").trim(),
      createdAt: this.#instant(),
    });
    issue.updatedAt = this.#instant();
    return "Comment added";
  }
}

/** 32 letters that are another issue's for every number. */
function letters(number: number): string {
  const seed = (number + 1) * 2_654_435_761;
  return Array.from({ length: 32 }, (_, at) => "klmnopqrstuvwxyz"[(seed >>> (at % 28)) & 15]).join("");
}

if (import.meta.main) {
  const { exitCode, stdout } = runFp(process.argv.slice(2), process.cwd());
  writeSync(1, stdout);
  process.exitCode = exitCode;
}
