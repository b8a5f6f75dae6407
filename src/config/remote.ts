/** The parts of a remote's URL that identify a repository. Pure. */

/** A remote as a project introduces itself with it. */
export interface RemoteIdentity {
  /** The web host in lower case; null for local paths and for SSH aliases, which name no host. */
  readonly host: string | null;
  /** `owner/repo`, with every group on GitLab; null when the URL has no owner. */
  readonly path: string | null;
  /** The repository's own name without `.git`; empty when the URL has none. */
  readonly name: string;
}

/** Longest path that the wire carries, in UTF-16 units. */
const MAX_PATH_LENGTH = 500;

/** Hosts that serve git over the HTTPS port for networks that block port 22, by the provider's web host. */
const SSH_OVER_HTTPS: Readonly<Record<string, string>> = {
  "ssh.github.com": "github.com",
  "altssh.gitlab.com": "gitlab.com",
};

/** Reads a remote's URL: http(s), ssh, git, `user@host:path`, `[user@host:port]:path`, or a local path. */
export function parseRemote(url: string): RemoteIdentity {
  const { host, path } = isLocalPath(url) ? { host: null, path: null } : splitRemote(url);
  const segments = path === null ? [] : trimRepository(path).split("/");
  const isComplete = segments.length >= 2 && segments.every((segment) => segment !== "");
  const joined = segments.join("/");
  return {
    host: host === null ? null : webHost(host),
    path: isComplete && joined.length <= MAX_PATH_LENGTH ? joined : null,
    name:
      trimRepository(path ?? url)
        .split(/[/:\\]/)
        .at(-1) ?? "",
  };
}

/** A path of this machine, a Windows one and a bundle included. */
function isLocalPath(url: string): boolean {
  return /^(?:file:|[./~\\]|[A-Za-z]:[\\/])/.test(url);
}

function splitRemote(url: string): { readonly host: string | null; readonly path: string | null } {
  const bracketed = /^(?:[^@/\s[\]]+@)?\[(?:[^@/\s[\]]+@)?([^\]\s]+)\]:(?!\/\/)(.+)$/.exec(url);
  if (bracketed !== null) {
    const [, inside = "", path = ""] = bracketed;
    // `[host:port]:path` names a port; anything with more colons is an IPv6 address.
    const host = /^[^:]+:\d+$/.test(inside) ? inside.replace(/:\d+$/, "") : inside;
    return { host, path };
  }
  const scpLike = /^(?:[^@/\s]+@)?([^:/\s]+):(?!\/\/)(.+)$/.exec(url);
  if (scpLike !== null) return { host: scpLike[1] ?? null, path: scpLike[2] ?? null };
  if (!URL.canParse(url)) return { host: null, path: null };
  const { protocol, hostname, pathname } = new URL(url);
  if (!/^(https?|ssh|git(\+ssh)?):$/.test(protocol)) return { host: null, path: null };
  return { host: hostname, path: decodePath(pathname) };
}

/** The path as people write it; `%2F` stays encoded, for it separates nothing. */
function decodePath(path: string): string {
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}

/** A name without a dot is an alias from the user's SSH configuration, unless it is this machine. */
function webHost(name: string): string | null {
  const host = name
    .toLowerCase()
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "");
  if (!/[.:]/.test(host) && host !== "localhost") return null;
  return SSH_OVER_HTTPS[host] ?? host;
}

function trimRepository(path: string): string {
  return path.replace(/^\/+|\/+$/g, "").replace(/\.(?:git|bundle)$/, "");
}
