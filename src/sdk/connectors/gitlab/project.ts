import * as v from "valibot";
import { providerName } from "../../../shared/providers.ts";
import { ConnectorRequestError, IssueNotFoundError } from "../../errors.ts";
import type { Transport, TransportRequest, TransportResponse } from "../../http/transport.ts";
import { parsePayload } from "../shared/arguments.ts";
import { GITLAB, isNotFound, send } from "./requests.ts";

const NativeProject = v.object({
  path_with_namespace: v.string(),
  web_url: v.string(),
  issues_access_level: v.optional(v.string()),
  issues_enabled: v.optional(v.boolean()),
});
type NativeProject = v.InferOutput<typeof NativeProject>;

interface ProjectRequest {
  readonly method?: TransportRequest["method"];
  readonly path?: string;
  readonly query?: TransportRequest["query"];
  readonly json?: Readonly<Record<string, unknown>>;
}

/** Requests to one project: https://docs.gitlab.com/api/projects/ */
export class GitLabProject {
  readonly #id: string;
  readonly #transport: Transport;

  /** @param id The project's number */
  constructor(id: string, transport: Transport) {
    this.#id = id;
    this.#transport = transport;
  }

  /** @throws ConnectorRequestError (`not_found`) when the project is gone */
  async send({ method = "GET", path = "", query, json }: ProjectRequest = {}): Promise<TransportResponse> {
    try {
      return await send(this.#transport, {
        method,
        path: `/api/v4/projects/${encodeURIComponent(this.#id)}${path}`,
        ...(query !== undefined && { query }),
        ...(json !== undefined && { body: { json } }),
      });
    } catch (error) {
      if (!isNotFound(error) || /^\/issues\/./.test(path)) throw error;
      throw new ConnectorRequestError(
        `${providerName(GITLAB)} project ${this.#id} does not exist, or this credential cannot see it.`,
        { provider: GITLAB, failureClass: "not_found", cause: error },
      );
    }
  }

  /** @throws IssueNotFoundError when the project exists, has issues enabled, and lacks this one */
  async sendToIssue(issue: string, request: ProjectRequest = {}): Promise<TransportResponse> {
    try {
      return await this.send({ ...request, path: issuePath(issue, request.path) });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      const { issues_access_level, issues_enabled } = await this.read();
      if (issues_access_level !== "disabled" && issues_enabled !== false) {
        throw new IssueNotFoundError(GITLAB, issue);
      }
      throw new ConnectorRequestError(`${providerName(GITLAB)} project ${this.#id} has issues disabled.`, {
        provider: GITLAB,
        failureClass: "permission",
        cause: error,
      });
    }
  }

  async read(): Promise<NativeProject> {
    return parsePayload(GITLAB, NativeProject, (await this.send()).body, "project");
  }
}

export function issuePath(issue: string, below = ""): string {
  return `/issues/${encodeURIComponent(issue)}${below}`;
}
