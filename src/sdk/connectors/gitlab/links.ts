import { providerName } from "../../../shared/providers.ts";
import { linkIdentity } from "../../engine/merge.ts";
import { CapabilityNotSupportedError, ConnectorRequestError } from "../../errors.ts";
import { TransportError } from "../../http/transport.ts";
import type { CanonicalLink } from "../../model.ts";
import { type IdentifiedLink, readLinks } from "./map.ts";
import { type GitLabProject, issuePath } from "./project.ts";
import { GITLAB } from "./requests.ts";

/**
 * The links between issues: https://docs.gitlab.com/api/issue_links/
 *
 * GitLab keeps one link between two issues, of whatever type, and may answer 404 to a link that it has made:
 * links are read again before a refusal is reported.
 */
export class IssueLinks {
  readonly #project: GitLabProject;

  constructor(project: GitLabProject) {
    this.#project = project;
  }

  async read(id: string): Promise<readonly CanonicalLink[]> {
    return (await this.#readIdentified(id)).map(({ link }) => link);
  }

  /**
   * Adds a link. A blocking link is created from the blocking issue, because servers before 15.9 refuse the
   * other way (https://gitlab.com/gitlab-org/gitlab/-/merge_requests/110067).
   *
   * @throws CapabilityNotSupportedError when the type needs a higher plan
   * @throws ConnectorRequestError (`conflict`) when a link of another type exists
   * @throws IssueNotFoundError when the target does not exist
   */
  async add(id: string, link: CanonicalLink): Promise<void> {
    const { target, type } = link;
    const [from, to] = type === "blocked_by" ? [target.id, id] : [id, target.id];
    try {
      await this.#project.send({
        method: "POST",
        path: issuePath(from, "/links"),
        json: {
          target_project_id: Number(target.workspace),
          target_issue_iid: Number(to),
          link_type: type === "relates_to" ? type : "blocks",
        },
      });
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      if (error.failureClass === "permission" && /licen[sc]e/i.test(error.message)) throw needsPremium(type);
      if (error.failureClass !== "not_found" && error.failureClass !== "conflict") throw error;
      await this.#explain(error, id, link);
    }
  }

  async remove(id: string, link: CanonicalLink): Promise<void> {
    const links = await this.#readIdentified(id);
    const found = links.find((known) => linkIdentity(known.link) === linkIdentity(link));
    if (found === undefined) return;
    await this.#project.send({ method: "DELETE", path: issuePath(id, `/links/${found.id}`) });
  }

  async #explain(refusal: TransportError, id: string, link: CanonicalLink): Promise<void> {
    const { target, type } = link;
    const links = await this.read(id);
    if (links.some((known) => linkIdentity(known) === linkIdentity(link))) return;
    const other = links.find((known) => linkIdentity({ ...known, type }) === linkIdentity(link));
    if (other !== undefined) {
      throw new ConnectorRequestError(
        `${providerName(GITLAB)} allows one link between two issues: remove #${id} ${other.type} #${target.id} first.`,
        { provider: GITLAB, failureClass: "invalid", cause: refusal },
      );
    }
    await this.#project.sendToIssue(target.id);
    throw refusal.failureClass === "not_found" && type !== "relates_to" ? needsPremium(type) : refusal;
  }

  async #readIdentified(id: string): Promise<readonly IdentifiedLink[]> {
    return readLinks((await this.#project.sendToIssue(id, { path: "/links" })).body);
  }
}

function needsPremium(type: CanonicalLink["type"]): CapabilityNotSupportedError {
  return new CapabilityNotSupportedError(
    GITLAB,
    "linkTypes",
    `${providerName(GITLAB)} does not support links of the type ${type} in this project: they require GitLab Premium.`,
  );
}
