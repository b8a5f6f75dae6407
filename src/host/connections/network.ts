/**
 * The allowed addresses of providers. A user who connects one enters its address, which must not lead into the
 * server's own network.
 */

import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";
import { ConnectorRequestError, TrackerSdkError } from "../../sdk/errors.ts";
import { type Fetch, plainFetch } from "../../shared/network.ts";
import { providerName } from "../../shared/providers.ts";

/**
 * Opens the network access to a provider's address.
 *
 * @throws TrackerSdkError when the address is not allowed or does not exist
 */
export type Reach = (provider: string, baseUrl: string) => Promise<Fetch>;

type Resolve = (hostname: string) => Promise<readonly string[]>;

/** An address leads into a private network. */
export class AddressRefusedError extends TrackerSdkError {
  constructor(provider: string, baseUrl: string) {
    super(
      `${baseUrl} leads to a private or local address, which this control plane does not connect to. ` +
        "Its operator can allow that with --allow-private-network.",
      { provider, failureClass: "permission" },
    );
  }
}

/**
 * Allows public addresses only. The name is resolved once, and requests go to the checked address, so that a name
 * whose address changes in between is harmless.
 *
 * @param resolve Default: the system's resolver
 * @param pin Default: {@link pinnedFetch}
 */
export function publicOnly(resolve: Resolve = systemResolve, pin: typeof pinnedFetch = pinnedFetch): Reach {
  return async (provider, baseUrl) => {
    const { hostname } = new URL(baseUrl);
    const literal = hostname.replace(/^\[|\]$/g, "");
    const addresses = isIP(literal) === 0 ? await resolved(provider, hostname, resolve) : [literal];
    const [first] = addresses.toSorted((a, b) => isIP(a) - isIP(b));
    if (first === undefined || !addresses.every(isPublic)) throw new AddressRefusedError(provider, baseUrl);
    return pin(first);
  };
}

async function resolved(provider: string, hostname: string, resolve: Resolve): Promise<readonly string[]> {
  try {
    return await resolve(hostname);
  } catch (cause) {
    throw new ConnectorRequestError(
      `Cannot reach ${providerName(provider)}: the name ${hostname} cannot be resolved.`,
      {
        provider,
        failureClass: "transient",
        cause,
      },
    );
  }
}

const systemResolve: Resolve = async (hostname) => {
  const found = await lookup(hostname, { all: true });
  return found.map(({ address }) => address);
};

/** Sends requests to `address`, whatever their name resolves to by now; certificates must be the name's. */
export function pinnedFetch(address: string): Fetch {
  return (request) => {
    const url = new URL(request.url);
    const { host, hostname } = url;
    url.hostname = isIP(address) === 6 ? `[${address}]` : address;
    const pinned = new Request(url.href, request);
    pinned.headers.set("host", host);
    return plainFetch(pinned, { tls: { serverName: hostname } });
  };
}

export function isPublic(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !SPECIAL.check(address, "ipv4");
    case 6:
      return GLOBAL_UNICAST.check(address, "ipv6") && !SPECIAL.check(address, "ipv6");
    default:
      return false;
  }
}

/**
 * https://www.iana.org/assignments/iana-ipv4-special-registry and
 * https://www.iana.org/assignments/iana-ipv6-special-registry; besides,
 * multicast, and the address at which Azure tells machines about themselves
 * (https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16).
 */
const SPECIAL = blockList({
  ipv4: [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
  ],
  ipv6: ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"],
});

/** The only part of IPv6 that is handed out for the internet: RFC 4291 section 2.4 and its registry. */
const GLOBAL_UNICAST = blockList({ ipv4: [], ipv6: ["2000::/3"] });

function blockList(subnets: Readonly<Record<"ipv4" | "ipv6", readonly string[]>>): BlockList {
  const list = new BlockList();
  for (const family of ["ipv4", "ipv6"] as const) {
    for (const subnet of subnets[family]) {
      const [address = "", prefix] = subnet.split("/");
      list.addSubnet(address, Number(prefix), family);
    }
  }
  return list;
}
