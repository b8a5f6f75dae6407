import { expect } from "bun:test";
import { VERSION } from "../../src/shared/version.ts";

/** The canary that tests use as access token; it must never show up anywhere but in a request. */
export const TOKEN = "trk_canary_5b0c1d7e9f";
export const TEAM = "acme";

const BASE = "/api/v1/tracker";
const UUID4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const KEYED_CALLS = /\/(bind-confirm|push|run|missions\/publish)\/$/;

/** A request as it arrived. */
interface SeenRequest {
  readonly method: string;
  /** With its query. */
  readonly target: string;
  readonly headers: Headers;
  /** Parsed JSON; null without a body. */
  readonly body: unknown;
}

interface Stub {
  readonly method: string;
  readonly target: string;
  readonly body: unknown;
  readonly answer: () => Response | Promise<Response>;
}

/** One error answer of the contract, with both spellings of its keys. */
export function errorAnswer(
  status: number,
  code: string,
  facts: { readonly message?: string; readonly details?: unknown; readonly requestId?: string } = {},
): Response {
  const body = {
    code,
    error_code: code,
    category: "request",
    error_category: "request",
    http_status: status,
    message: facts.message ?? `The scripted answer is ${code}.`,
    retryable: false,
    user_action_required: false,
    source: "saas",
    retry_after_seconds: null,
    provider: null,
    details: facts.details ?? null,
  };
  const headers = facts.requestId === undefined ? {} : { "x-request-id": facts.requestId };
  return Response.json(body, { status, headers });
}

/**
 * A loopback control plane that knows exactly which requests will come. An
 * unexpected request, a request that differs, and a request that never came are
 * all problems that {@link verify} reports. Headers that the contract demands of
 * every call are checked on every call.
 */
export class ScriptedControlPlane implements Disposable {
  readonly requests: SeenRequest[] = [];
  readonly #stubs: Stub[] = [];
  readonly #problems: string[] = [];
  readonly #server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    development: false,
    fetch: (request) => this.#answer(request),
  });

  /** Base address, without a final slash. */
  get url(): string {
    return this.#server.url.origin;
  }

  /** The environment that points the executable here. */
  get env(): Readonly<Record<string, string>> {
    return { TRACKER_HOST: this.url, TRACKER_TOKEN: TOKEN, TRACKER_TEAM: TEAM };
  }

  /** Expects a GET of `call`, such as `status/?provider=linear`; one that begins with a slash is a whole path. */
  get(call: string, answer: unknown): this {
    return this.#expect("GET", call, null, answer);
  }

  /** Expects a POST of `call` with exactly this body; asymmetric matchers may stand in it. */
  post(call: string, body: unknown, answer: unknown): this {
    return this.#expect("POST", call, body, answer);
  }

  /** Expects a DELETE of `call`, and answers that it is done. */
  delete(call: string): this {
    return this.#expect("DELETE", call, null, () => new Response(null, { status: 204 }));
  }

  /**
   * @param answer a Response, a function that makes one, or a value that is sent as JSON
   */
  #expect(method: string, call: string, body: unknown, answer: unknown): this {
    const respond = (): Response | Promise<Response> => {
      if (answer instanceof Response) return answer;
      return typeof answer === "function" ? answer() : Response.json(answer);
    };
    const target = call.startsWith("/") ? call : `${BASE}/${call}`;
    this.#stubs.push({ method, target, body, answer: respond });
    return this;
  }

  /** Throws when what came is not exactly what was expected. */
  verify(): void {
    const unused = this.#stubs.map(({ method, target }) => `never requested: ${method} ${target}`);
    expect([...this.#problems, ...unused]).toEqual([]);
  }

  async #answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const target = url.pathname + url.search;
    const text = await request.text();
    const body: unknown = text === "" ? null : JSON.parse(text);
    this.requests.push({ method: request.method, target, headers: request.headers, body });
    const index = this.#stubs.findIndex((stub) => stub.method === request.method && stub.target === target);
    const [stub] = index < 0 ? [] : this.#stubs.splice(index, 1);
    if (stub === undefined) {
      this.#problems.push(`unexpected: ${request.method} ${target} ${text}`);
      return errorAnswer(400, "invalid_request", { message: "The script does not expect this request." });
    }
    try {
      expect(body).toEqual(stub.body);
      checkHeaders(request.headers, url.pathname);
    } catch (error) {
      this.#problems.push(`${request.method} ${target}: ${Bun.stripANSI(String(error))}`);
    }
    return stub.answer();
  }

  [Symbol.dispose](): void {
    this.#server.stop(true);
  }
}

function checkHeaders(headers: Headers, path: string): void {
  // Anyone may ask for the health: no credential is sent for it.
  const isOpen = path === `${BASE}/health/`;
  expect(headers.get("authorization")).toBe(isOpen ? null : `Bearer ${TOKEN}`);
  expect(headers.get("x-team-slug")).toBe(isOpen ? null : TEAM);
  expect(headers.get("user-agent")).toBe(`tracker/${VERSION} (${process.platform}-${process.arch})`);
  if (KEYED_CALLS.test(path)) expect(headers.get("idempotency-key")).toMatch(UUID4);
  else expect(headers.get("idempotency-key")).toBeNull();
}
