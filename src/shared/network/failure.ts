/** The failures of the network, by the codes of the runtime. */
import { ProxiedError } from "./proxy.ts";

/** The reason why a request got no answer. */
export interface NetworkFailure {
  readonly reason:
    | "timeout"
    | "too_large"
    | "refused"
    | "closed"
    | "unreachable"
    | "unresolved"
    | "untrusted"
    | "no_tls"
    | "proxy"
    | "broken";
  /** A clause: "the connection was refused". */
  readonly message: string;
  /** `no` where the request certainly was not carried out. */
  readonly processed: "no" | "maybe";
  /** The place to repair it; null where nothing but the address and the network can be checked. */
  readonly remedy: Remedy | null;
}

/** A place to repair a failure: this machine's list of authorities or clock, the address, or the proxy's settings. */
type Remedy = "authority" | "clock" | "name" | "proxy";

const before = (reason: NetworkFailure["reason"], message: string): NetworkFailure => ({
  reason,
  message,
  processed: "no",
  remedy: null,
});
const during = (reason: NetworkFailure["reason"], message: string): NetworkFailure => ({
  ...before(reason, message),
  processed: "maybe",
});
const untrustedCertificate = (message: string, remedy: Remedy | null = null): NetworkFailure => ({
  ...before("untrusted", message),
  remedy,
});

const REFUSED = before("refused", "the connection was refused");
const CLOSED = during("closed", "the other side closed the connection before it had answered");
const UNRESOLVED = before("unresolved", "its name cannot be resolved");
// The route may be lost after the request was sent.
const NO_ROUTE = during("unreachable", "there is no route to it");
const TIMEOUT = during("timeout", "the answer took too long");
const NO_TLS = before("no_tls", "the TLS handshake failed; its port may not speak TLS");
export const TOO_LARGE = during("too_large", "the answer is too large");
const TLS_BROKEN = during("broken", "the TLS connection broke");
const BROKEN = during("broken", "the connection broke");

const UNKNOWN_ISSUER = untrustedCertificate(
  "its certificate has an issuer that this machine does not know",
  "authority",
);
const WRONG_NAME = untrustedCertificate("its certificate is for another name", "name");
const BAD_DATES = untrustedCertificate("its certificate has invalid dates");
const BAD_SIGNATURE = untrustedCertificate("its certificate has an invalid signature");
const UNCHECKED = untrustedCertificate("its certificate cannot be checked for revocation");

/** Connections, names and every verification error of OpenSSL (https://docs.openssl.org/master/man3/X509_STORE_CTX_get_error/). */
const FAILURES: Readonly<Record<string, NetworkFailure>> = {
  ECONNREFUSED: REFUSED,
  ConnectionRefused: REFUSED,
  ECONNRESET: CLOSED,
  ECONNABORTED: CLOSED,
  EPIPE: CLOSED,
  ConnectionClosed: CLOSED,
  ENOTFOUND: UNRESOLVED,
  DNSResolveFailed: UNRESOLVED,
  EAI_AGAIN: before("unresolved", "its name cannot be resolved at the moment"),
  EHOSTUNREACH: NO_ROUTE,
  ENETUNREACH: NO_ROUTE,
  EHOSTDOWN: NO_ROUTE,
  ENETDOWN: during("unreachable", "this machine has no network"),
  EADDRNOTAVAIL: before("unreachable", "this machine has no address or port left for a connection"),
  ETIMEDOUT: TIMEOUT,
  TimeoutError: TIMEOUT,
  EPROTO: NO_TLS,
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_TLS_HANDSHAKE_TIMEOUT: NO_TLS,

  DEPTH_ZERO_SELF_SIGNED_CERT: untrustedCertificate("its certificate is self-signed", "authority"),
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_ISSUER,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_ISSUER,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_ISSUER,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_ISSUER,
  CERT_UNTRUSTED: UNKNOWN_ISSUER,
  CERT_HAS_EXPIRED: untrustedCertificate("its certificate has expired", "clock"),
  CERT_NOT_YET_VALID: untrustedCertificate("its certificate is not valid yet", "clock"),
  ERROR_IN_CERT_NOT_BEFORE_FIELD: BAD_DATES,
  ERROR_IN_CERT_NOT_AFTER_FIELD: BAD_DATES,
  ERR_TLS_CERT_ALTNAME_INVALID: WRONG_NAME,
  ERR_TLS_CERT_ALTNAME_FORMAT: untrustedCertificate("its certificate has malformed names"),
  HOSTNAME_MISMATCH: WRONG_NAME,
  CERT_REVOKED: untrustedCertificate("its certificate has been revoked"),
  CERT_REJECTED: untrustedCertificate("its certificate is marked as rejected on this machine", "authority"),
  CERT_CHAIN_TOO_LONG: untrustedCertificate("its certificate has too many issuers"),
  PATH_LENGTH_EXCEEDED: untrustedCertificate("its certificate has too many issuers"),
  INVALID_CA: untrustedCertificate("its certificate was issued by one that must not issue others"),
  INVALID_PURPOSE: untrustedCertificate("its certificate is not for servers"),
  CERT_SIGNATURE_FAILURE: BAD_SIGNATURE,
  UNABLE_TO_DECRYPT_CERT_SIGNATURE: BAD_SIGNATURE,
  UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY: BAD_SIGNATURE,
  SUBJECT_ISSUER_MISMATCH: UNKNOWN_ISSUER,
  AKID_SKID_MISMATCH: UNKNOWN_ISSUER,
  AKID_ISSUER_SERIAL_MISMATCH: UNKNOWN_ISSUER,
  KEYUSAGE_NO_CERTSIGN: untrustedCertificate("its certificate was issued by one that must not issue others"),
  UNABLE_TO_GET_CRL: UNCHECKED,
  UNABLE_TO_DECRYPT_CRL_SIGNATURE: UNCHECKED,
  CRL_SIGNATURE_FAILURE: UNCHECKED,
  CRL_NOT_YET_VALID: UNCHECKED,
  CRL_HAS_EXPIRED: UNCHECKED,
  ERROR_IN_CRL_LAST_UPDATE_FIELD: UNCHECKED,
  ERROR_IN_CRL_NEXT_UPDATE_FIELD: UNCHECKED,
};

/** Codes of a newer runtime that still say that a certificate is at fault. */
const CERTIFICATE_CODE = /CERT|CRL|ISSUER|SIGNATURE|X509/;
const TLS_CODE = /SSL|TLS/;

/** The failure that an error of the runtime describes, and the runtime's code; null where it has none. */
export function networkFailureOf(error: unknown): {
  readonly failure: NetworkFailure;
  readonly code: string | null;
} {
  const chain = chainOf(error);
  const codes = chain.flatMap((link) => ("code" in link ? [String(link.code), link.name] : [link.name]));
  const known = codes.find((name) => Object.hasOwn(FAILURES, name));
  const code = known ?? codes.find((name) => /^[A-Z][A-Z0-9_]+$/.test(name)) ?? null;
  const proxied = chain.find((link) => link instanceof ProxiedError);
  const text = chain.map(({ message }) => message).join("\n");
  const viaProxy = proxied === undefined ? null : proxyFailure(proxied.proxy, codes, text);
  return { failure: viaProxy ?? FAILURES[known ?? ""] ?? unlistedFailure(code), code };
}

function unlistedFailure(code: string | null): NetworkFailure {
  if (code !== null && CERTIFICATE_CODE.test(code))
    return untrustedCertificate("its certificate cannot be verified");
  return code !== null && TLS_CODE.test(code) ? TLS_BROKEN : BROKEN;
}

/** The failure of a proxy; null where the proxy has done its part. */
function proxyFailure(proxy: string, codes: readonly string[], text: string): NetworkFailure | null {
  const failure = (problem: string, processed: NetworkFailure["processed"] = "no"): NetworkFailure => ({
    reason: "proxy",
    message: problem,
    processed,
    remedy: "proxy",
  });
  const is = (...names: readonly string[]): boolean => names.some((name) => codes.includes(name));
  if (is("ERR_PROXY_TUNNEL")) {
    const [, status] = /\b([1-5]\d\d)\b/.exec(text.split(": ").at(-1) ?? "") ?? [];
    if (status === "407") return failure(`the proxy ${proxy} asks for a user and a password (HTTP 407)`);
    return failure(`the proxy ${proxy} refuses to connect to it${status ? ` (HTTP ${status})` : ""}`);
  }
  if (is("ECONNREFUSED", "ConnectionRefused")) return failure(`the proxy ${proxy} refused the connection`);
  if (is("ENOTFOUND", "EAI_AGAIN")) return failure(`the name of the proxy ${proxy} cannot be resolved`);
  if (is("EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN"))
    return failure(`there is no route to the proxy ${proxy}`);
  if (is("ECONNRESET", "ConnectionClosed", "EPIPE"))
    return failure(`the proxy ${proxy} closed the connection`, "maybe");
  if (is("UnsupportedProxyProtocol")) return failure(`the proxy ${proxy} is not an HTTP proxy`);
  return null;
}

function chainOf(error: unknown): readonly Error[] {
  const chain: Error[] = [];
  for (let at = error; at instanceof Error && chain.length < 8; at = at.cause) chain.push(at);
  return chain;
}
