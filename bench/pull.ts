/**
 * A pull of many issues into the SQLite store, beside raw prepared upserts of
 * the same rows: `bun bench/pull.ts`. Every measurement is a process of its
 * own, and the issues come into being page by page in it.
 */
import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import type { Capabilities } from "../src/sdk/capabilities.ts";
import type { IssueQuery, TrackerConnector } from "../src/sdk/connector.ts";
import { collect, SyncEngine } from "../src/sdk/engine.ts";
import { CapabilityNotSupportedError } from "../src/sdk/errors.ts";
import { type CanonicalIssue, CanonicalStatus, identityOf, LinkType, type Page } from "../src/sdk/model.ts";
import { openSqliteStore } from "../src/sdk/stores/sqlite.ts";
import { fieldsOf } from "../src/sdk/stores/store.ts";

const PAGE_SIZE = 500;
const ISSUES = 100_000;
const FEWER_ISSUES = 20_000;
const PAIRS = 3;
/** Of the raw rate. */
const RATE_AIM = 0.4;
/** Peak memory with five times the issues, as a factor. */
const MEMORY_AIM = 1.2;
const NOW = Date.parse("2026-03-01T00:00:00.000Z");
const BODY = "The invoice shows the gross amount twice when a discount applies to one line only. ".repeat(6);

/** The two ways in which the rows are written. */
const Way = v.picklist(["engine", "raw"]);
type Way = v.InferOutput<typeof Way>;

/** What one process measured. */
const Figures = v.object({
  milliseconds: v.number(),
  /** The most memory that the process held, in MiB. */
  peak: v.number(),
});
type Figures = v.InferOutput<typeof Figures>;

function issueAt(index: number): CanonicalIssue {
  const id = String(index).padStart(8, "0");
  const instant = new Date(NOW - 86_400_000 * 30 + index * 20).toISOString();
  const fields = {
    title: `Invoice ${index} shows the gross amount twice`,
    body: BODY,
    status: "in_progress" as const,
    issueType: "bug" as const,
    priority: index % 5,
    assignees: ["ada"],
    labels: ["billing", `customer-${index % 100}`],
    parent: null,
    links: [],
    customFields: { estimate: index % 8 },
  };
  return {
    ref: { system: "generated", workspace: "acme", id, key: `PAY-${index}` },
    ...fields,
    createdAt: instant,
    updatedAt: instant,
    revision: instant,
    raw: {
      id,
      identifier: `PAY-${index}`,
      title: fields.title,
      description: BODY,
      state: { id: "state-3", name: "In Progress", type: "started" },
      priority: fields.priority,
      updatedAt: instant,
    },
  };
}

function pageAt(start: number, count: number): CanonicalIssue[] {
  return Array.from({ length: Math.min(PAGE_SIZE, count - start) }, (_, index) => issueAt(start + index));
}

/** A tracker with `count` issues that can only be listed. */
class GeneratedTracker implements TrackerConnector {
  readonly provider = "generated";
  readonly workspace = "acme";
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
  }

  capabilities(): Capabilities {
    return {
      comments: false,
      hierarchy: true,
      dependencies: true,
      customFields: true,
      multiAssignee: true,
      assignment: true,
      terminalTransition: true,
      bulkRead: true,
      delete: false,
      webhooks: false,
      conditionalWrites: true,
      currentReads: false,
      priority: true,
      issueType: true,
      statuses: CanonicalStatus.options,
      linkTypes: LinkType.options,
    };
  }

  async listIssues({ cursor }: IssueQuery): Promise<Page<CanonicalIssue>> {
    const start = Number(cursor ?? 0);
    const end = start + PAGE_SIZE;
    return { items: pageAt(start, this.#count), nextCursor: end < this.#count ? String(end) : null };
  }

  readonly getIssue = refuse;
  readonly findIssue = refuse;
  readonly searchIssues = refuse;
  readonly createIssue = refuse;
  readonly findCreated = refuse;
  readonly updateIssue = refuse;
  readonly transitionIssue = refuse;
  readonly upsertLink = refuse;
  readonly removeLink = refuse;
  readonly addComment = refuse;
  readonly listComments = refuse;
  readonly listEvents = refuse;
}

async function refuse(): Promise<never> {
  throw new CapabilityNotSupportedError("generated", "anything but listing", "A pull asked for more.");
}

/** Pulls through the engine. */
async function pull(path: string, count: number): Promise<void> {
  const store = openSqliteStore(path);
  const engine = new SyncEngine({
    connector: new GeneratedTracker(count),
    store,
    policy: { mode: "split_ownership" },
    now: () => new Date(NOW),
    pageSize: PAGE_SIZE,
  });
  const { stats } = await collect(engine.pull());
  if (stats.created.local !== count) throw new Error(`The pull made ${JSON.stringify(stats)}.`);
  await store.close();
}

/** Writes the same rows with nothing around the statement. */
function write(path: string, count: number): void {
  using file = new Database(path);
  file.run("pragma synchronous = full");
  const put = file.query(
    `insert into issues values ('', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     on conflict (scope, key) do update set
       identity = excluded.identity, ref = excluded.ref, fields = excluded.fields,
       base_fields = excluded.base_fields, base_raw = excluded.base_raw,
       base_revision = excluded.base_revision, base_created_at = excluded.base_created_at,
       base_updated_at = excluded.base_updated_at, deleted_at = excluded.deleted_at`,
  );
  for (let start = 0; start < count; start += PAGE_SIZE) {
    file.run("begin immediate");
    for (const issue of pageAt(start, count)) {
      const { ref, raw, revision, createdAt, updatedAt } = issue;
      const identity = identityOf(ref);
      const [refText, fields, rawText] = [ref, fieldsOf(issue), raw].map((value) => JSON.stringify(value));
      put.run(
        identity,
        identity,
        refText ?? null,
        fields ?? null,
        null,
        rawText ?? null,
        revision,
        createdAt,
        updatedAt,
        null,
      );
    }
    file.run("commit");
  }
}

/** Measures one way in this process. */
async function measure(way: Way, path: string, count: number): Promise<Figures> {
  await openSqliteStore(path).close();
  const started = performance.now();
  if (way === "engine") await pull(path, count);
  else write(path, count);
  const milliseconds = performance.now() - started;
  return { milliseconds, peak: process.resourceUsage().maxRSS / 1024 };
}

/** Measures one way in a process of its own. */
function measureApart(way: Way, path: string, count: number): Figures {
  const command = [process.execPath, import.meta.path, way, path, String(count)];
  const { success, stdout, stderr } = Bun.spawnSync(command);
  if (!success) throw new Error(`${command.join(" ")} failed: ${stderr.toString()}`);
  return v.parse(Figures, JSON.parse(stdout.toString()));
}

/** Makes sure that both ways write the same before their times are compared. */
function requireSameRows(folder: string): void {
  const [engine, raw] = [join(folder, "engine-rows.db"), join(folder, "raw-rows.db")];
  measureApart("engine", engine, PAGE_SIZE * 2);
  measureApart("raw", raw, PAGE_SIZE * 2);
  using file = new Database(engine);
  file.run("attach ? as other", [raw]);
  const differing = file.query(
    "select * from (select * from issues except select * from other.issues) union all select * from (select * from other.issues except select * from issues) limit 2",
  );
  const rows = differing.all();
  if (rows.length > 0) throw new Error(`The ways write different rows: ${JSON.stringify(rows, null, 1)}`);
}

/** Prints the rate of a pull as a share of the raw rate, and how its memory grows. */
function benchPull(): void {
  const folder = mkdtempSync(join(tmpdir(), "tracker-bench-pull-"));
  try {
    requireSameRows(folder);
    let files = 0;
    const once = (way: Way, count: number): Figures => {
      const path = join(folder, `${files++}.db`);
      const figures = measureApart(way, path, count);
      rmSync(path);
      return figures;
    };
    const pairs = Array.from({ length: PAIRS }, () => [once("engine", ISSUES), once("raw", ISSUES)] as const);
    const engine = fastest(pairs.map(([figures]) => figures));
    const raw = fastest(pairs.map(([, figures]) => figures));
    const fewer = once("engine", FEWER_ISSUES);
    const shares = pairs.map(([own, other]) => percent(other.milliseconds / own.milliseconds));
    const share = raw.milliseconds / engine.milliseconds;
    const growth = engine.peak / fewer.peak;
    console.log(
      `pull of ${ISSUES} issues: ${rate(engine)} issues/s, raw upserts ${rate(raw)}/s: ${percent(share)} ` +
        `(pairs ${shares.join(", ")}; aim >= ${percent(RATE_AIM)})${share < RATE_AIM ? "  UNDER" : ""}`,
    );
    console.log(
      `peak memory: ${engine.peak.toFixed(0)} MiB with ${ISSUES} issues, ${fewer.peak.toFixed(0)} MiB with ${FEWER_ISSUES}: ` +
        `${growth.toFixed(2)} x (raw ${raw.peak.toFixed(0)} MiB; aim <= ${MEMORY_AIM} x)${growth > MEMORY_AIM ? "  OVER" : ""}`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function fastest(all: readonly Figures[]): Figures {
  return all.reduce((best, figures) => (figures.milliseconds < best.milliseconds ? figures : best));
}

function rate({ milliseconds }: Figures): number {
  return Math.round(ISSUES / (milliseconds / 1_000));
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

if (import.meta.main) {
  const [way, path = "", count] = process.argv.slice(2);
  if (way === undefined) benchPull();
  else console.log(JSON.stringify(await measure(v.parse(Way, way), path, Number(count))));
}
