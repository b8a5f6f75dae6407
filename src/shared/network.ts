import type { Environment } from "./io.ts";
import { ProxiedError, proxyOf } from "./network/proxy.ts";

/** The part of `fetch` that the product uses; it follows no redirect. The embedded host and the tests have their own. */
export type Fetch = (request: Request) => Promise<Response>;

/** The time in which a connection must be established, in ms. */
const CONNECT_TIMEOUT_MS = 5_000;
/** A request that is answered sooner than this, in ms, is not probed. */
const CONNECT_GRACE_MS = 1_000;

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** The URL leads to this machine and nowhere else. */
export function isLoopback(url: URL): boolean {
  return LOOPBACK.test(url.hostname);
}

/**
 * Sends with the runtime's fetch: never follows a redirect, always verifies
 * certificates, and never prints what it sends (whatever the environment asks
 * for). Over a connection that is kept alive the runtime repeats PUT and DELETE
 * on its own when it breaks, so each of those has a connection to itself.
 */
export async function plainFetch(request: Request, options: BunFetchRequestInit = {}): Promise<Response> {
  // The runtime reads the process's own environment, too.
  const proxy = proxyOf(new URL(request.url), process.env);
  const response = fetch(request, {
    redirect: "manual",
    verbose: false,
    keepalive: request.method !== "PUT" && request.method !== "DELETE",
    ...options,
    tls: { ...options.tls, rejectUnauthorized: true },
  });
  return proxy === null ? response : response.catch((error: unknown) => throughProxy(proxy, error));
}

/** An end that the caller wanted, or a limit, is not the proxy's doing. */
function throughProxy(proxy: string, error: unknown): never {
  throw error instanceof DOMException ? error : new ProxiedError(proxy, error);
}

/**
 * {@link plainFetch} to a control plane: goes to loopback without a proxy, and
 * abandons a host that does not accept a connection within 5 s.
 */
export function systemFetch(env: Environment): Fetch {
  return async (request) => {
    const url = new URL(request.url);
    if (isLoopback(url)) bypassProxy(url.hostname, env);
    const isProxied = !isLoopback(url) && proxyOf(url, env) !== null;
    const watch = isProxied ? null : watchConnection(url);
    request.headers.set("accept-encoding", "gzip");
    try {
      const response = await plainFetch(request, {
        // Unpacked here: the runtime prints a message about data that it cannot unpack.
        decompress: false,
        ...(watch === null ? {} : { signal: AbortSignal.any([request.signal, watch.signal]) }),
      });
      return unpack(response);
    } finally {
      watch?.stop();
    }
  };
}

/** Both spellings are set, because the runtime reads the lower one before the upper one. */
function bypassProxy(hostname: string, env: Environment): void {
  const bypassed = (env.no_proxy || env.NO_PROXY || "").split(",").filter((name) => name !== "");
  if (!bypassed.includes(hostname)) bypassed.push(hostname);
  process.env.NO_PROXY = bypassed.join(",");
  process.env.no_proxy = process.env.NO_PROXY;
}

function unpack(response: Response): Response {
  const { body, status, statusText } = response;
  if (body === null || response.headers.get("content-encoding")?.toLowerCase() !== "gzip") return response;
  const headers = new Headers(response.headers);
  headers.delete("content-encoding");
  headers.delete("content-length");
  return new Response(body.pipeThrough(new DecompressionStream("gzip")), { status, statusText, headers });
}

/**
 * Bun's fetch has no limit of its own for connecting. Most answers arrive before
 * the grace is over and cost nothing; after it, a second connection shows
 * whether the host can be reached at all.
 */
function watchConnection(url: URL): { readonly signal: AbortSignal; stop(): void } {
  const controller = new AbortController();
  const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
  let stopProbe = (): void => {};
  const timer = setTimeout(() => {
    const deadline = setTimeout(() => {
      controller.abort(new DOMException(`No connection within ${CONNECT_TIMEOUT_MS} ms.`, "TimeoutError"));
    }, CONNECT_TIMEOUT_MS - CONNECT_GRACE_MS);
    stopProbe = () => clearTimeout(deadline);
    const hostname = url.hostname.replace(/^\[|\]$/g, "");
    const settle = (): void => stopProbe();
    // The request itself reports a connection that is refused; only silence is ours to notice.
    Bun.connect({ hostname, port, socket: { open: (socket) => void socket.end(), data: settle } }).then(
      settle,
      settle,
    );
  }, CONNECT_GRACE_MS);
  return {
    signal: controller.signal,
    stop: () => {
      clearTimeout(timer);
      stopProbe();
    },
  };
}
