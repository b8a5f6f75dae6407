import type { ProjectIdentity } from "../config/identity.ts";
import type { ProjectIdentity as WireIdentity } from "../protocol.ts";

/** A project's identity as it is sent. */
export function wireIdentity({ uuid, slug, nodeId, repoSlug, repoHost }: ProjectIdentity): WireIdentity {
  return {
    uuid,
    slug,
    node_id: nodeId,
    repo_slug: repoSlug,
    ...(repoHost !== null && { repo_host: repoHost }),
  };
}
