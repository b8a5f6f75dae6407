import { describe, expect, test } from "bun:test";
import { DEFAULT_LIMITS, fetchOnce, isRedirect, NoAnswerError } from "../../src/shared/network/fetch-once.ts";
import { retryAfterSeconds } from "../../src/shared/network/retry-after.ts";
import type { Fetch } from "../../src/shared/network.ts";
import { failureOf } from "../helpers/failure.ts";

const REQUEST = {
  method: "POST",
  url: new URL("https://api.example/issues?state=all"),
  headers: { "x-a": "1" },
  body: "{}",
};
const failing =
  (error: Error): Fetch =>
  async () => {
    throw error;
  };

describe("fetchOnce", () => {
  test("sends the request and returns the answer", async () => {
    const sent: Request[] = [];
    const fetch: Fetch = async (request) => {
      sent.push(request);
      return new Response("hello", { status: 201, headers: { "x-b": "2" } });
    };
    const { status, headers, text } = await fetchOnce(fetch, REQUEST, DEFAULT_LIMITS);
    expect([status, headers.get("x-b"), text]).toEqual([201, "2", "hello"]);
    const [request] = sent;
    expect(request).toMatchObject({ method: "POST", url: REQUEST.url.href, redirect: "manual" });
    expect(request?.headers.get("x-a")).toBe("1");
    expect(await request?.text()).toBe("{}");
  });

  test.each([204, 302, 404, 503])("a %i is an answer", async (status) => {
    let count = 0;
    const fetch: Fetch = async () => {
      count += 1;
      return new Response(null, { status });
    };
    expect(await fetchOnce(fetch, REQUEST, DEFAULT_LIMITS)).toMatchObject({ status, text: "" });
    expect(count).toBe(1);
  });

  test.each([
    ["ECONNREFUSED", "refused", "no", "the connection was refused"],
    ["ConnectionRefused", "refused", "no", "the connection was refused"],
    ["CERT_HAS_EXPIRED", "untrusted", "no", "its certificate has expired"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "untrusted", "no", "its certificate is for another name"],
    ["ERR_OSSL_NEW_CERT_PROBLEM", "untrusted", "no", "its certificate cannot be verified"],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "no_tls", "no", "the TLS handshake failed; its port may not speak TLS"],
    ["ENOTFOUND", "unresolved", "no", "its name cannot be resolved"],
    ["EAI_AGAIN", "unresolved", "no", "its name cannot be resolved at the moment"],
    ["ERR_SSL_BAD_RECORD_MAC", "broken", "maybe", "the TLS connection broke"],
    ["EHOSTUNREACH", "unreachable", "maybe", "there is no route to it"],
    ["ETIMEDOUT", "timeout", "maybe", "the answer took too long"],
    ["ECONNRESET", "closed", "maybe", "the other side closed the connection before it had answered"],
    ["EWHATEVER", "broken", "maybe", "the connection broke"],
    ["", "broken", "maybe", "the connection broke"],
  ] as const)("%j is %s, processed: %s", async (code, reason, processed, message) => {
    const cause = new TypeError("fetch failed", { cause: Object.assign(new Error("network"), { code }) });
    const error = await failureOf(fetchOnce(failing(cause), REQUEST, DEFAULT_LIMITS));
    expect(error).toBeInstanceOf(NoAnswerError);
    expect(error).toMatchObject({ reason, processed, message, cause });
  });

  // https://nodejs.org/docs/latest/api/tls.html#x509-certificate-error-codes
  test.each([
    "UNABLE_TO_GET_ISSUER_CERT",
    "UNABLE_TO_GET_CRL",
    "UNABLE_TO_DECRYPT_CERT_SIGNATURE",
    "UNABLE_TO_DECRYPT_CRL_SIGNATURE",
    "UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY",
    "CERT_SIGNATURE_FAILURE",
    "CRL_SIGNATURE_FAILURE",
    "CERT_NOT_YET_VALID",
    "CERT_HAS_EXPIRED",
    "CRL_NOT_YET_VALID",
    "CRL_HAS_EXPIRED",
    "ERROR_IN_CERT_NOT_BEFORE_FIELD",
    "ERROR_IN_CERT_NOT_AFTER_FIELD",
    "ERROR_IN_CRL_LAST_UPDATE_FIELD",
    "ERROR_IN_CRL_NEXT_UPDATE_FIELD",
    "DEPTH_ZERO_SELF_SIGNED_CERT",
    "SELF_SIGNED_CERT_IN_CHAIN",
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "CERT_CHAIN_TOO_LONG",
    "CERT_REVOKED",
    "INVALID_CA",
    "PATH_LENGTH_EXCEEDED",
    "INVALID_PURPOSE",
    "CERT_UNTRUSTED",
    "CERT_REJECTED",
    "HOSTNAME_MISMATCH",
  ])("%s has a sentence of its own", async (code) => {
    const cause = Object.assign(new TypeError("fetch failed"), { code });
    const error = await failureOf(fetchOnce(failing(cause), REQUEST, DEFAULT_LIMITS));
    expect(error).toMatchObject({ reason: "untrusted", processed: "no", code });
    expect(String(error)).not.toContain("cannot be verified");
  });

  test("a chain of causes that has no end is read to some depth", async () => {
    const loop = new Error("loop");
    loop.cause = loop;
    const error = await failureOf(fetchOnce(failing(loop), REQUEST, DEFAULT_LIMITS));
    expect(error).toMatchObject({ reason: "broken" });
  });

  test("the time limit ends a request", async () => {
    const fetch: Fetch = ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    const error = await failureOf(fetchOnce(fetch, REQUEST, { ...DEFAULT_LIMITS, requestMs: 1 }));
    expect(error).toMatchObject({ reason: "timeout", processed: "maybe" });
  });

  test("a body of the limit is read; one byte more ends the reading", async () => {
    const limits = { ...DEFAULT_LIMITS, bodyBytes: 4 };
    expect((await fetchOnce(async () => new Response("äö"), REQUEST, limits)).text).toBe("äö");
    let isCancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(3)),
      cancel: () => {
        isCancelled = true;
      },
    });
    const error = await failureOf(fetchOnce(async () => new Response(endless), REQUEST, limits));
    expect(error).toMatchObject({ reason: "too_large", processed: "maybe" });
    expect(isCancelled).toBe(true);
  });
});

test("five statuses are redirects", () => {
  const statuses = Array.from({ length: 100 }, (_, index) => 300 + index);
  expect(statuses.filter(isRedirect)).toEqual([301, 302, 303, 307, 308]);
});

describe("retryAfterSeconds", () => {
  const now = Date.parse("2026-03-01T12:00:00.250Z");

  test.each<[string | null, number | null]>([
    [null, null],
    ["", null],
    ["7", 7],
    [" 0 ", 0],
    ["-5", null],
    ["1.5", null],
    ["soon", null],
    ["2026-03-01", null],
    ["Sun, 01 Mar 2026 12:00:10 GMT", 10],
    ["Sunday, 01-Mar-26 12:01:30 GMT", 90],
    ["Sun, 01 Mar 2026 11:00:00 GMT", 0],
  ])("%j is %j", (header, seconds) => {
    const headers = new Headers(header === null ? {} : { "retry-after": header });
    expect(retryAfterSeconds(headers, now)).toBe(seconds);
  });
});
