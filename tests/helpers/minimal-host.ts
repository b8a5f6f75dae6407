import * as v from "valibot";
import { TEAM, TOKEN } from "./scripted-control-plane.ts";
import { SyncWorker } from "./sync-worker.ts";

/** How a host spells the two error keys that exist in two spellings; `error` is a body with a text and nothing else. */
type ErrorSpelling = "code" | "error_code" | "error";

/** What a host knows of dry runs: to announce them in its health answer, and to confirm one. */
interface DryRuns {
  readonly announced: boolean;
  readonly confirmed: boolean;
}

const BASE = "/api/v1/tracker";

/** The documented fields; foreign hosts ignore others. */
const Identity = v.object({
  uuid: v.string(),
  slug: v.string(),
  node_id: v.string(),
  repo_slug: v.nullable(v.string()),
});
const Resolve = v.object({ provider: v.string(), project_identity: Identity });
const Confirm = v.object({
  provider: v.string(),
  candidate_token: v.string(),
  project_identity: Identity,
});
const Validate = v.object({
  provider: v.string(),
  binding_ref: v.string(),
  project_identity: Identity,
});

interface ForeignMapping {
  readonly bindingRef: string;
  readonly label: string;
  readonly slug: string;
}

const LABELS = ["Payments (PAY)", "Payments Platform (PPL)"] as const;
const IDENTITY_PATH = {
  type: "installation",
  installation_id: "inst_1",
  user_link_id: null,
  provider: "linear",
  provider_account_id: "acct_1",
};
const SUMMARY = { total: 0, succeeded: 0, failed: 0, skipped: 0 };
const ENVELOPE = { status: "ok", summary: SUMMARY, identity_path: IDENTITY_PATH };
const PULLED = { summary: SUMMARY, items: [], has_more: false, next_cursor: null };
const PUSHED = { summary: SUMMARY, items: [] };
/** The first has all that the contract documents, the second has neither key nor times. */
const TICKETS = [
  {
    external_issue_id: "id-1",
    identifier: "PAY-1",
    title: "Refund twice",
    url: null,
    state: { name: "Todo" },
    team: "Payments",
    assignee: null,
    created_at: "2026-03-01T00:00:00Z",
    updated_at: "2026-03-02T00:00:00Z",
    body: null,
  },
  { external_issue_id: "id-2", title: "Rotate keys", state: { name: "Done" }, updated_at: null },
];
const BOUND_AT = "2026-03-04T05:06:07Z";

/**
 * A control plane of another make, behind a worker that serves one connection at a
 * time. It sends only what the contract documents,
 * spells error keys in one way only, serves only paths with a final slash, knows
 * no extension, and its resolution leaves out what older hosts leave out.
 */
export class MinimalHost implements Disposable {
  /** Requests that no client of the contract would send. */
  readonly problems: string[] = [];
  /** Calls that arrived, without their query. */
  readonly calls: string[] = [];
  readonly #spelling: ErrorSpelling;
  /** Null for a host without a health path. */
  readonly #dryRuns: DryRuns | null;
  readonly #mappings = new Map<string, ForeignMapping>();
  readonly #server = new SyncWorker((request) => this.#answer(request));

  constructor(spelling: ErrorSpelling, dryRuns: DryRuns | null = null) {
    this.#spelling = spelling;
    this.#dryRuns = dryRuns;
  }

  /** Connections that were opened and never used. */
  get idleConnections(): number {
    return this.#server.idleConnections;
  }

  /** The environment that points the executable here. */
  get env(): Readonly<Record<string, string>> {
    return { TRACKER_HOST: this.#server.url, TRACKER_TOKEN: TOKEN, TRACKER_TEAM: TEAM };
  }

  /** Forgets every mapping, as an administrator would who deletes them. */
  deleteMappings(): void {
    this.#mappings.clear();
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const route = `${request.method} ${pathname.replace(BASE, "")}`;
    this.calls.push(route);
    if (route === "GET /health/" && this.#dryRuns !== null) {
      return Response.json({ status: "ok", features: this.#dryRuns.announced ? ["dry_run"] : [] });
    }
    // It wants a credential before it looks for a path.
    if (request.headers.get("authorization") !== `Bearer ${TOKEN}`) return this.#refuse(401, "unauthorized");
    const isOfTeam = request.headers.get("x-team-slug") === TEAM;
    if (pathname.startsWith(BASE) && !isOfTeam) return this.#refuse(403, "team_mismatch");
    switch (route) {
      case "GET /resources/":
        return Response.json({
          resources: LABELS.map(resource),
          installation_id: "inst_1",
          provider: "linear",
        });
      case "POST /bind-resolve/":
        return this.#resolve(this.#read(Resolve, await request.json()).project_identity.uuid);
      case "POST /bind-confirm/":
        if (!request.headers.has("idempotency-key"))
          this.problems.push("bind-confirm without Idempotency-Key");
        return this.#confirm(this.#read(Confirm, await request.json()));
      case "POST /bind-validate/":
        return this.#validate(this.#read(Validate, await request.json()).binding_ref);
      case "GET /status/":
        return this.#status(searchParams);
      case "POST /list-tickets/":
        return Response.json({ tickets: TICKETS, resource_type: "team", resource_id: "PAY" });
      case "POST /issue-search/":
        return Response.json({ candidates: TICKETS, resource_type: "team", resource_id: "PAY" });
      case "POST /pull/":
        return Response.json({ ...ENVELOPE, ...PULLED });
      case "POST /push/":
        return Response.json({ ...ENVELOPE, ...PUSHED });
      case "POST /run/":
        // What it does not know in a request it ignores.
        return Response.json({
          ...ENVELOPE,
          pull: PULLED,
          push: PUSHED,
          ...(this.#dryRuns?.confirmed && { dry_run: true }),
        });
      default:
        // What a web framework says to a path that it does not know.
        return new Response("<html><body><h1>Not Found</h1></body></html>", {
          status: 404,
          headers: { "content-type": "text/html" },
        });
    }
  }

  #read<S extends v.GenericSchema>(schema: S, body: unknown): v.InferOutput<S> {
    const result = v.safeParse(schema, body);
    if (!result.success) this.problems.push(JSON.stringify(v.flatten(result.issues)));
    return v.parse(schema, body);
  }

  #resolve(uuid: string): Response {
    const mapping = this.#mappings.get(uuid);
    const answer = mapping
      ? { match_type: "exact", binding_ref: mapping.bindingRef, display_label: mapping.label, candidates: [] }
      : {
          match_type: "candidates",
          candidates: LABELS.map((label, index) => ({
            candidate_token: `cand_${index}`,
            display_label: label,
            confidence: "medium",
            match_reason: "the names share a word",
            sort_position: index,
          })),
        };
    return Response.json(answer);
  }

  #confirm({ candidate_token, project_identity }: v.InferOutput<typeof Confirm>): Response {
    const index = Number(candidate_token.replace("cand_", ""));
    const label = LABELS[index];
    if (label === undefined) return this.#refuse(400, "invalid_candidate_token");
    const mapping = { bindingRef: `srm_foreign_${index}`, label, slug: project_identity.slug };
    this.#mappings.set(project_identity.uuid, mapping);
    return Response.json({
      binding_ref: mapping.bindingRef,
      display_label: label,
      provider: "linear",
      provider_context: { workspace_name: "Foreign" },
      bound_at: BOUND_AT,
      project_slug: mapping.slug,
    });
  }

  #byRef(bindingRef: string | null): ForeignMapping | undefined {
    return [...this.#mappings.values()].find((mapping) => mapping.bindingRef === bindingRef);
  }

  #validate(bindingRef: string): Response {
    const mapping = this.#byRef(bindingRef);
    return Response.json(
      mapping
        ? {
            valid: true,
            binding_ref: bindingRef,
            display_label: mapping.label,
            provider: "linear",
            provider_context: {},
          }
        : {
            valid: false,
            binding_ref: bindingRef,
            reason: "mapping_deleted",
            guidance: "Bind the project again.",
          },
    );
  }

  #status(query: URLSearchParams): Response {
    if (!query.has("binding_ref")) {
      const bindings = [...this.#mappings.values()].map((mapping) => ({
        binding_ref: mapping.bindingRef,
        project_slug: mapping.slug,
        display_label: mapping.label,
        status: "active",
        bound_at: BOUND_AT,
        last_synced_at: null,
      }));
      return Response.json({ provider: "linear", connected: true, resource_count: LABELS.length, bindings });
    }
    const mapping = this.#byRef(query.get("binding_ref"));
    if (mapping === undefined) return this.#refuse(404, "binding_not_found");
    return Response.json({
      provider: "linear",
      connected: true,
      configured: true,
      identity_path: IDENTITY_PATH,
      sync_state: "never",
      last_synced_at: null,
      issue_count: 0,
      open_conflicts: 0,
      last_error: null,
    });
  }

  #refuse(status: number, code: string): Response {
    if (this.#spelling === "error") {
      return Response.json({ error: `The foreign host says ${code}.` }, { status });
    }
    const category = "request";
    const spelled =
      this.#spelling === "code" ? { code, category } : { error_code: code, error_category: category };
    const body = {
      ...spelled,
      http_status: status,
      message: `The foreign host says ${code}.`,
      retryable: false,
      user_action_required: true,
      source: "saas",
      retry_after_seconds: null,
      provider: "linear",
      details: null,
    };
    return Response.json(body, { status });
  }

  [Symbol.dispose](): void {
    this.#server[Symbol.dispose]();
  }
}

function resource(label: string, index: number): object {
  return {
    candidate_token: `cand_${index}`,
    display_label: label,
    provider: "linear",
    provider_context: { workspace_name: "Foreign" },
    binding_ref: null,
    bound_project_slug: null,
    bound_at: null,
  };
}
