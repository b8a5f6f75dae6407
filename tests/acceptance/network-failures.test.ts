/** Every way in which a control plane cannot be reached names its reason, and the place to repair it. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { errorOf } from "../helpers/binary.ts";
import { type Certificate, Certificates } from "../helpers/certificates.ts";
import { httpAnswer, RawServer } from "../helpers/raw-server.ts";
import { Scratch } from "../helpers/scratch.ts";
import { TEAM, TOKEN } from "../helpers/scripted-control-plane.ts";

/** The error of a command that asks the control plane at `host`. */
async function failureAt(host: string, env: Readonly<Record<string, string>> = {}) {
  using place = new Scratch({
    env: { TRACKER_HOST: host, TRACKER_TOKEN: TOKEN, TRACKER_TEAM: TEAM, ...env },
  });
  const outcome = await place.run(["discover", "--provider", "linear", "--json"]);
  const person = await place.run(["doctor"]);
  expect(person.code).toBe(1);
  const error = errorOf(outcome);
  expect(person.stdout).toContain(error.message);
  expect(error).toMatchObject({ code: "host_unreachable", retryable: true });
  expect(error.message).not.toContain("the connection broke");
  for (const text of [person.stdout, person.stderr, outcome.stderr]) {
    expect(text).not.toContain("hunter2");
    expect(text).not.toContain(TOKEN);
  }
  return error;
}

describe("a certificate that", () => {
  let certificates: Certificates;
  beforeAll(() => {
    certificates = new Certificates();
  });
  afterAll(() => certificates[Symbol.dispose]());

  const CASES: readonly (readonly [
    name: string,
    certificate: () => Certificate,
    isTrusted: boolean,
    code: string,
    message: string,
    hint: string,
  ])[] = [
    [
      "is self-signed",
      () => certificates.selfSigned(),
      false,
      "DEPTH_ZERO_SELF_SIGNED_CERT",
      "its certificate is self-signed",
      "NODE_EXTRA_CA_CERTS=",
    ],
    [
      "an unknown authority issued",
      () => certificates.issue("unknown"),
      false,
      "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
      "its certificate has an issuer that this machine does not know",
      "NODE_EXTRA_CA_CERTS=",
    ],
    [
      "has expired",
      () => certificates.issue("expired", { days: -1 }),
      true,
      "CERT_HAS_EXPIRED",
      "its certificate has expired",
      "date and time",
    ],
    [
      "is for another name",
      () => certificates.issue("other", { host: "other.example" }),
      true,
      "ERR_TLS_CERT_ALTNAME_INVALID",
      "its certificate is for another name",
      "the address is spelled",
    ],
  ];

  test.each(CASES)("%s", async (_name, certificateOf, isTrusted, code, message, hint) => {
    const { key, certificate } = certificateOf();
    const requests: string[] = [];
    await using server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      development: false,
      tls: { key: Bun.file(key), cert: Bun.file(certificate) },
      fetch: ({ url }) => {
        requests.push(url);
        return Response.json({});
      },
    });
    const env = isTrusted ? { NODE_EXTRA_CA_CERTS: certificates.authority } : {};
    const error = await failureAt(`https://localhost:${server.port}`, env);
    expect(error.message).toEndWith(`: ${message}.`);
    expect(error.hint).toContain(hint);
    expect(error.details).toMatchObject({ network: { reason: "untrusted", code } });
    expect(requests).toEqual([]);
  });
});

test("a provider's certificate leads to the same place", async () => {
  using certificates = new Certificates();
  const { key, certificate } = certificates.selfSigned();
  await using server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    development: false,
    tls: { key: Bun.file(key), cert: Bun.file(certificate) },
    fetch: () => Response.json([]),
  });
  using place = new Scratch();
  const connect = ["host", "connect", "gitlab", "--base-url", `https://localhost:${server.port}`];
  const outcome = await place.run([...connect, "--token-stdin", "--json"], { stdin: "glpat-1234567890" });
  const error = errorOf(outcome);
  expect(error.message).toContain("its certificate is self-signed");
  expect(error.hint).toContain("NODE_EXTRA_CA_CERTS=");
});

describe("a proxy that", () => {
  const through = (proxy: string) => failureAt("https://tracker.invalid", { HTTPS_PROXY: proxy });
  const withPassword = (url: string): string => url.replace("http://", "http://ada:hunter2@");

  test.each([
    [407, "asks for a user and a password (HTTP 407)"],
    [403, "refuses to connect to it (HTTP 403)"],
    [502, "refuses to connect to it (HTTP 502)"],
  ])("answers %d", async (status, message) => {
    using proxy = new RawServer(() => ({ bytes: httpAnswer(status, "no"), end: "close" }));
    const error = await through(withPassword(proxy.url));
    expect(error.message).toEndWith(`: the proxy ${new URL(proxy.url).host} ${message}.`);
    expect(error.hint).toContain("HTTPS_PROXY");
    expect(proxy.requests[0]?.head).toStartWith("CONNECT tracker.invalid:443");
  });

  test.each(["close", "reset"] as const)("hangs up (%s)", async (end) => {
    using proxy = new RawServer(() => ({ bytes: "", end }));
    const error = await through(withPassword(proxy.url));
    expect(error.message).toEndWith(`: the proxy ${new URL(proxy.url).host} closed the connection.`);
  });

  test("is not there", async () => {
    const proxy = new RawServer(() => ({ bytes: "", end: "close" }));
    proxy[Symbol.dispose]();
    const error = await through(withPassword(proxy.url));
    expect(error.message).toEndWith(`: the proxy ${new URL(proxy.url).host} refused the connection.`);
    expect(error.hint).toContain("NO_PROXY");
  });

  test("has no address", async () => {
    const error = await through("http://ada:hunter2@proxy.invalid:3128");
    expect(error.message).toEndWith(": the name of the proxy proxy.invalid:3128 cannot be resolved.");
  });

  test("speaks something else", async () => {
    const error = await through("socks5://ada:hunter2@127.0.0.1:1080");
    expect(error.message).toEndWith(": the proxy 127.0.0.1:1080 is not an HTTP proxy.");
  });
});

test("a name that does not exist", async () => {
  const error = await failureAt("https://tracker.invalid");
  expect(error.message).toEndWith(": its name cannot be resolved.");
  expect(error.hint).toContain("tracker doctor");
});

test.each(["close", "reset"] as const)("a connection that the other side ends (%s)", async (end) => {
  using server = new RawServer(() => ({ bytes: "", end }));
  const error = await failureAt(server.url);
  expect(error.message).toEndWith(": the other side closed the connection before it had answered.");
});

test("a port that speaks no TLS", async () => {
  using server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
  const error = await failureAt(`https://127.0.0.1:${server.port}`);
  expect(error.message).toContain("may not speak TLS");
});
