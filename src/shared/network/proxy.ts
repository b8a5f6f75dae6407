import type { Environment } from "../io.ts";

/**
 * Returns the host and port of the proxy that the runtime sends a request through;
 * null where there is none. Never the proxy's user or password: an address that
 * cannot be parsed, and may hold them, is only described.
 */
export function proxyOf({ protocol, hostname, host }: URL, env: Environment): string | null {
  const scheme = protocol.slice(0, -1);
  const address =
    env[`${scheme}_proxy`] || env[`${scheme.toUpperCase()}_PROXY`] || env.all_proxy || env.ALL_PROXY;
  if (!address || isExempt([hostname, host], env.no_proxy || env.NO_PROXY || "")) return null;
  const url = [address, `http://${address}`].find((text) => URL.canParse(text) && new URL(text).host !== "");
  return url === undefined ? "with an invalid address" : new URL(url).host;
}

/** Reports whether a list of exceptions names a host: itself, a domain that it is in, or `*`. */
function isExempt(names: readonly string[], exceptions: string): boolean {
  const entries = exceptions.split(",").map((entry) => entry.trim().toLowerCase().replace(/^\./, ""));
  return entries.some(
    (entry) =>
      entry === "*" || (entry !== "" && names.some((name) => name === entry || name.endsWith(`.${entry}`))),
  );
}

/** The runtime could not send a request through a proxy, or the proxy could not pass it on. */
export class ProxiedError extends Error {
  override readonly name = "ProxiedError";
  readonly proxy: string;

  constructor(proxy: string, cause: unknown) {
    super(`A request through the proxy ${proxy} failed.`, { cause });
    this.proxy = proxy;
  }
}
