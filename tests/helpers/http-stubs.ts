import { expect } from "bun:test";
import { type ClientCredential, type ClientOptions, ControlPlaneClient } from "../../src/client.ts";
import type { Timing } from "../../src/shared/context.ts";
import type { Fetch } from "../../src/shared/network.ts";

/** Where the stubbed client believes its control plane to be. */
export const STUB_URL = "https://tracker.example";
export const USER_AGENT = "tracker/9.9.9 (plan9-vax)";

/** A request as the client handed it to `fetch`. */
interface StubbedRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The body's text; null without one. */
  readonly text: string | null;
}

/** What a stub does: answers, or fails as the network does. */
type StubAnswer = Response | Error | ((request: Request) => Response | Promise<Response>);

interface Stub {
  readonly method: string;
  readonly target: string;
  readonly answer: StubAnswer;
}

/**
 * A `fetch` that knows exactly which requests will come. Each stub answers one
 * request, in the order of registration; a request without a stub and a stub
 * without a request are problems that {@link verify} reports.
 */
export class HttpStubs {
  readonly requests: StubbedRequest[] = [];
  readonly #stubs: Stub[] = [];
  readonly #problems: string[] = [];

  /** Expects one request of `target`: path and query. */
  on(method: string, target: string, answer: StubAnswer): this {
    this.#stubs.push({ method, target, answer });
    return this;
  }

  /** Expects `times` requests of `target`, each answered by a new call of `answer`. */
  repeat(times: number, method: string, target: string, answer: () => Response | Error): this {
    for (let time = 0; time < times; time++) this.on(method, target, answer());
    return this;
  }

  readonly fetch: Fetch = async (request) => {
    const { method, url, headers } = request;
    const { origin, pathname, search } = new URL(url);
    const target = `${origin === STUB_URL ? "" : origin}${pathname}${search}`;
    const text = request.body === null ? null : await request.text();
    this.requests.push({ method, target, headers: Object.fromEntries(headers), text });
    const index = this.#stubs.findIndex((stub) => stub.method === method && stub.target === target);
    const [stub] = index < 0 ? [] : this.#stubs.splice(index, 1);
    if (stub === undefined) {
      this.#problems.push(`unexpected: ${method} ${target}`);
      return Response.json(errorBody("invalid_request"), { status: 400 });
    }
    if (stub.answer instanceof Error) throw stub.answer;
    return stub.answer instanceof Response ? stub.answer : stub.answer(request);
  };

  /** Throws when what came is not exactly what was expected. */
  verify(): void {
    const unused = this.#stubs.map(({ method, target }) => `never requested: ${method} ${target}`);
    expect([...this.#problems, ...unused]).toEqual([]);
  }
}

/** A clock that only sleeping moves, and chance that always falls the same way. */
export class StubbedNature implements Timing {
  /** Every wait so far, in ms. */
  readonly sleeps: number[] = [];
  readonly #random: number;
  #now = Date.parse("2026-03-01T12:00:00Z");

  constructor(random = 0.5) {
    this.#random = random;
  }

  readonly now = (): number => this.#now;
  readonly random = (): number => this.#random;
  readonly sleep = async (milliseconds: number): Promise<void> => {
    this.sleeps.push(milliseconds);
    this.#now += milliseconds;
  };
}

/** Keeps one credential in memory, and every renewal of it. */
export class StubbedCredentials {
  readonly kept: ClientCredential[] = [];
  readonly #first: ClientCredential | null;

  constructor(credential: ClientCredential | null) {
    this.#first = credential;
  }

  async current(): Promise<ClientCredential | null> {
    return this.kept.at(-1) ?? this.#first;
  }

  async replace(credential: ClientCredential): Promise<void> {
    this.kept.push(credential);
  }
}

export const PERSONAL: ClientCredential = {
  kind: "personal",
  accessToken: "trk_canary_5b0c1d7e9f",
  refreshToken: null,
  teamSlug: "acme",
};

/** The real client over `stubs`, with a personal token for team `acme` unless told otherwise. */
export function stubbedClient(stubs: HttpStubs, options: Partial<ClientOptions> = {}): ControlPlaneClient {
  return new ControlPlaneClient({
    url: new URL(STUB_URL),
    name: STUB_URL,
    fetch: stubs.fetch,
    timing: new StubbedNature(),
    userAgent: USER_AGENT,
    credentials: new StubbedCredentials(PERSONAL),
    ...options,
  });
}

/** The body of an error answer with both spellings of its keys. */
export function errorBody(code: string, facts: Readonly<Record<string, unknown>> = {}): object {
  return {
    code,
    error_code: code,
    category: "test",
    error_category: "test",
    http_status: 400,
    message: `The stub says ${code}.`,
    retryable: false,
    user_action_required: false,
    source: "saas",
    retry_after_seconds: null,
    provider: null,
    details: null,
    ...facts,
  };
}
