/** Finds an issue by its id or by the name that people use. */

import type { TrackerConnector } from "../sdk/connector.ts";
import type { SyncEngine } from "../sdk/engine.ts";
import { IssueNotFoundError } from "../sdk/errors.ts";
import type { CanonicalIssue, ExternalRef } from "../sdk/model.ts";
import { providerName } from "../shared/providers.ts";
import type { NamedRef } from "./push-item.ts";
import { SyncRequestError } from "./request.ts";

export interface NamedIssue {
  readonly ref: ExternalRef;
  /** The issue as it was read to find it; null when it is named by its id. */
  readonly found: CanonicalIssue | null;
}

/**
 * Finds the named issue of the connector's resource.
 *
 * @param name Its place in the request, for example `link.target`
 * @throws TrackerSdkError when it belongs to another resource or does not exist
 */
export async function findNamedIssue(
  { connector, engine }: { readonly connector: TrackerConnector; readonly engine: SyncEngine },
  named: NamedRef,
  name: string,
): Promise<NamedIssue> {
  const { provider, workspace } = connector;
  const refusal = (problem: string) => new SyncRequestError(provider, name, problem);
  if ((named.system ?? provider) !== provider || (named.workspace ?? workspace) !== workspace) {
    throw refusal(`must name an issue of ${providerName(provider)} ${workspace}`);
  }
  if (named.id !== null) return { ref: { system: provider, workspace, id: named.id }, found: null };
  if (named.key === null) throw refusal("must have an id or a key");
  const { key } = named;
  const found = await engine.send(() => connector.findIssue(key));
  if (found === null) throw new IssueNotFoundError(provider, key);
  return { ref: found.ref, found };
}
