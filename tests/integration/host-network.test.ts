/** Which addresses a server lets people name, and that what was checked is what is connected to. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AddressRefusedError, isPublic, publicOnly } from "../../src/host/connections/network.ts";
import { ConnectorRequestError } from "../../src/sdk/errors.ts";

describe("an address is public or not", () => {
  test.each([
    ["8.8.8.8", true],
    ["172.15.255.255", true],
    ["172.32.0.1", true],
    ["100.63.255.255", true],
    ["168.63.129.15", true],
    ["223.255.255.255", true],
    ["2606:4700:4700::1111", true],
    ["0.0.0.0", false],
    ["10.1.2.3", false],
    ["100.64.0.1", false],
    ["100.100.100.200", false],
    ["127.0.0.1", false],
    ["127.255.255.254", false],
    ["168.63.129.16", false],
    ["169.254.169.254", false],
    ["172.16.0.1", false],
    ["172.31.255.255", false],
    ["192.168.1.1", false],
    ["198.18.0.1", false],
    ["224.0.0.1", false],
    ["255.255.255.255", false],
    ["::", false],
    ["::1", false],
    ["::ffff:8.8.8.8", false],
    ["::ffff:10.0.0.1", false],
    ["64:ff9b::a00:1", false],
    ["fc00::1", false],
    ["fd00:ec2::254", false],
    ["fe80::1", false],
    ["fec0::1", false],
    ["ff02::1", false],
    ["2002:a00:1::", false],
    ["2001:db8::1", false],
    ["not an address", false],
  ])("%s: %p", (address, expected) => {
    expect(isPublic(address)).toBe(expected);
  });
});

describe("with public addresses only", () => {
  const reach = (addresses: readonly string[], baseUrl = "https://gitlab.acme.example") => {
    const pinned: string[] = [];
    const way = publicOnly(
      async (hostname) => {
        expect(hostname).toBe(new URL(baseUrl).hostname);
        return addresses;
      },
      (address) => {
        pinned.push(address);
        return async () => new Response();
      },
    );
    return way("gitlab", baseUrl).then(
      () => pinned,
      (error: unknown) => error,
    );
  };

  test("a name that leads to the internet is reached where it led to, by IPv4 where there is both", async () => {
    expect(await reach(["2606:4700:4700::1111", "1.1.1.1", "1.0.0.1"])).toEqual(["1.1.1.1"]);
    expect(await reach(["2606:4700:4700::1111"])).toEqual(["2606:4700:4700::1111"]);
  });

  test.each([[["10.0.0.1"]], [["1.1.1.1", "127.0.0.1"]], [["1.1.1.1", "::1"]], [[]]])(
    "a name that leads to %p is refused",
    async (addresses) => {
      const error = await reach(addresses);
      expect(error).toBeInstanceOf(AddressRefusedError);
      expect(String(error)).toContain("--allow-private-network");
      expect(String(error)).not.toContain("10.0.0.1");
    },
  );

  test.each([
    "https://127.0.0.1",
    "https://2130706433",
    "https://0x7f.1",
    "https://[::1]:8443",
    "https://[::ffff:7f00:1]",
  ])("%s is refused without asking for a name", async (baseUrl) => {
    expect(await reach([], baseUrl)).toBeInstanceOf(AddressRefusedError);
  });

  test("an address in numbers is reached as it is", async () => {
    expect(await reach([], "https://1.1.1.1:8443")).toEqual(["1.1.1.1"]);
  });

  test("a name that does not resolve can be tried again", async () => {
    const way = publicOnly(() => Promise.reject(new Error("ENOTFOUND")));
    const error = await way("jira", "https://gone.example").catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConnectorRequestError);
    expect(error).toMatchObject({ retryable: true, message: expect.stringContaining("gone.example") });
  });
});

describe("a pinned request", () => {
  const folder = mkdtempSync(join(tmpdir(), "tracker-pinned-"));
  const authority = join(folder, "authority.pem");
  let server: Bun.Server<undefined>;
  beforeAll(() => {
    writeFileSync(authority, CERTIFICATE);
    server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      development: false,
      tls: { cert: CERTIFICATE, key: PRIVATE_KEY },
      fetch: async (request) => {
        const { pathname, search } = new URL(request.url);
        const host = request.headers.get("host")?.replace(/:\d+$/, "");
        const fact = request.headers.get("x-fact");
        return new Response([request.method, host, pathname + search, fact, await request.text()].join(" "));
      },
    });
  });
  afterAll(async () => {
    await server.stop(true);
    rmSync(folder, { recursive: true });
  });

  const send = async (name: string, env: Record<string, string>) => {
    const program = join(import.meta.dir, "host-pinned-request.ts");
    const url = `https://${name}:${server.port}/path?a=1`;
    const child = Bun.spawn([process.execPath, program, url, "127.0.0.1"], {
      env: { ...env, PATH: "/usr/bin" },
      stdout: "pipe",
    });
    return child.stdout.text();
  };

  test("goes to the address and keeps the name, for a name that nobody resolves", async () => {
    const told = await send("gitlab.test", { NODE_EXTRA_CA_CERTS: authority });
    expect(told).toBe("POST gitlab.test /path?a=1 kept content");
  });

  test("trusts the certificate of that name and of no other", async () => {
    expect(await send("other.test", { NODE_EXTRA_CA_CERTS: authority })).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
    expect(await send("gitlab.test", {})).toBe("DEPTH_ZERO_SELF_SIGNED_CERT");
  });
});

/** Of `gitlab.test`, signed by itself, good from 2020 to 2120. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBZjCCAQ2gAwIBAgIBATAKBggqhkjOPQQDAjAWMRQwEgYDVQQDDAtnaXRsYWIu
dGVzdDAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowFjEUMBIGA1UE
AwwLZ2l0bGFiLnRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAT1N0PnO224
1Iecc8JYUsz2w22ftRe2PQEJW9A8sa5rBATtw1bTYO6VZhtVVZuD6cHKDnz4wqN2
8NoBGwQuVG6co0owSDAWBgNVHREEDzANggtnaXRsYWIudGVzdDAPBgNVHRMBAf8E
BTADAQH/MB0GA1UdDgQWBBSUsV/xr0D4WTKc04CfxwLW97N6hDAKBggqhkjOPQQD
AgNHADBEAiAwfpUX99ECLpKMoE4/ME3CqCIzKbeNiEYMtITh1WouAwIgbEz9mKk9
fu3atyH0GjvDjc2zpNGAadc8HJx4xGPpTlk=
-----END CERTIFICATE-----
`;

const PRIVATE_KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgoeFRsi0EKC8A5+tv
+sIpKDJQiRE+RPRmoBF1pIUUV/ChRANCAAT1N0PnO2241Iecc8JYUsz2w22ftRe2
PQEJW9A8sa5rBATtw1bTYO6VZhtVVZuD6cHKDnz4wqN28NoBGwQuVG6c
-----END PRIVATE KEY-----
`;
