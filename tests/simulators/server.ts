/** What the simulators have in common: a loopback server with a clock, a log of requests, and misfortunes on order. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import * as v from "valibot";

/** A request as a simulator sees it. */
export interface SimulatedRequest {
  readonly method: string;
  /** Percent-encoded, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  /** The JSON value, or the text when it is no JSON; null when there is none. */
  readonly body: unknown;
}

/** What a simulator answers; an undefined body is none. */
export interface SimulatedAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** What goes wrong with one request. */
type Fault =
  /** Nothing is done, and this is answered. */
  | ({ readonly kind: "answer" } & SimulatedAnswer)
  /** What was asked for is done, and the connection breaks before the answer. */
  | { readonly kind: "lost_response" }
  /** What was asked for is done, and the answer waits. */
  | { readonly kind: "hold"; readonly until: Promise<void> }
  /** What was asked for is done, and what is answered is changed on the way. */
  | { readonly kind: "distort"; readonly distort: (answer: SimulatedAnswer) => SimulatedAnswer }
  /** What was asked for is done, and meanwhile something else happens: before the answer is made, or after. */
  | { readonly kind: "meanwhile"; readonly phase: "before" | "after"; readonly happens: () => void };

const Address = v.object({ port: v.number() });

/** A provider on loopback. */
export abstract class Simulator {
  /** Every request that arrived, those that went wrong included. */
  readonly requests: SimulatedRequest[] = [];
  #clock = Date.parse("2026-03-01T09:00:00Z");
  readonly #faults: { readonly fault: Fault; readonly hits: (request: SimulatedRequest) => boolean }[] = [];
  readonly #server = createServer((request, response) => {
    this.#serve(request, response).catch((error: unknown) => {
      // A simulator that breaks is to be seen, not to be taken for a provider that answers 500.
      console.error(error);
      response.destroy();
    });
  });

  /** Listens on a free port. */
  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Without a final slash. */
  get origin(): string {
    const { port } = v.parse(Address, this.#server.address());
    return `http://127.0.0.1:${port}`;
  }

  /** The provider's clock, milliseconds since the epoch; it stands still until it is moved. */
  now(): number {
    return this.#clock;
  }

  tick(milliseconds = 1000): void {
    this.#clock += milliseconds;
  }

  /** Sets the clock, for programs that compare it with their own. */
  setClock(milliseconds: number): void {
    this.#clock = milliseconds;
  }

  /** Lets the next request that `hits` (any, by default) go wrong. Faults wait their turn. */
  fail(fault: Fault, hits: (request: SimulatedRequest) => boolean = () => true): void {
    this.#faults.push({ fault, hits });
  }

  /** Faults that no request has met. */
  get pendingFaults(): number {
    return this.#faults.length;
  }

  /** Does what the request asks for. */
  protected abstract answer(request: SimulatedRequest): SimulatedAnswer | Promise<SimulatedAnswer>;

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = await requestOf(incoming, this.origin);
    this.requests.push(request);
    const index = this.#faults.findIndex(({ hits }) => hits(request));
    const [found] = index === -1 ? [] : this.#faults.splice(index, 1);
    const fault = found?.fault;
    const date = new Date(this.now()).toUTCString();
    const send = (told: SimulatedAnswer) => write(response, { ...told, headers: { date, ...told.headers } });
    if (fault?.kind === "answer") return send(fault);
    if (fault?.kind === "meanwhile" && fault.phase === "before") fault.happens();
    const answer = await this.answer(request);
    if (fault?.kind === "meanwhile" && fault.phase === "after") fault.happens();
    if (fault?.kind === "hold") await fault.until;
    if (fault?.kind === "lost_response") {
      response.socket?.destroy();
      return;
    }
    send(fault?.kind === "distort" ? fault.distort(answer) : answer);
  }
}

async function requestOf(incoming: IncomingMessage, origin: string): Promise<SimulatedRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(v.parse(v.instance(Buffer), chunk));
  const text = Buffer.concat(chunks).toString();
  const url = new URL(incoming.url ?? "/", origin);
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined) headers.set(name, String(value));
  }
  return {
    method: incoming.method ?? "GET",
    path: url.pathname,
    query: url.searchParams,
    headers,
    body: text === "" ? null : jsonOrText(text),
  };
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A body that is text is sent as it is, so that broken JSON can be told too. */
function write(response: ServerResponse, { status, headers = {}, body }: SimulatedAnswer): void {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8", ...headers });
  if (body === undefined) response.end();
  else response.end(typeof body === "string" ? body : JSON.stringify(body));
}
