import type { UpdateOptions } from "../../connector.ts";
import type { CanonicalIssue, ExternalRef, IssuePatch } from "../../model.ts";
import type { HostedModule } from "../../registry.ts";
import { ProviderConnector } from "../shared/provider-connector.ts";
import { documentOf, markdownOf } from "./adf-markdown.ts";
import { JiraApi } from "./api.ts";
import { JiraDiscovery } from "./discovery.ts";

/** Jira keeps what a body says and not how its Markdown is written: `* a` and `- a` are one list. */
class JiraConnector extends ProviderConnector {
  override updateIssue(ref: ExternalRef, patch: IssuePatch, options: UpdateOptions): Promise<CanonicalIssue> {
    if (typeof patch.body !== "string") return super.updateIssue(ref, patch, options);
    const body = markdownOf(documentOf(patch.body)) || null;
    return super.updateIssue(ref, { ...patch, body }, options);
  }
}

/** Jira Cloud. */
export const jira: HostedModule<"jira"> = {
  connect: (params, transport) => new JiraConnector(new JiraApi(params, transport)),
  discover: (transport, baseUrl) => new JiraDiscovery(transport, baseUrl),
};
