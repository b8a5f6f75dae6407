import { httpAnswer, parseRequest, type RawRequest } from "./raw-server.ts";

interface Connection {
  received: Buffer;
}

/**
 * A server as gunicorn's sync worker is one: it serves one connection at a time,
 * in the order in which they were opened, and one request each. A connection that
 * sends nothing holds up all that come after it.
 */
export class SyncWorker implements Disposable {
  /** Connections that were closed before they had sent a request. */
  idleConnections = 0;
  readonly #listener: Bun.TCPSocketListener<Connection>;
  readonly #answer: (request: Request) => Promise<Response>;
  readonly #waiting: Bun.Socket<Connection>[] = [];

  constructor(answer: (request: Request) => Promise<Response>) {
    this.#answer = answer;
    this.#listener = Bun.listen<Connection>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (socket) => {
          socket.data = { received: Buffer.alloc(0) };
          this.#waiting.push(socket);
        },
        data: (socket, bytes) => {
          socket.data.received = Buffer.concat([socket.data.received, bytes]);
          if (socket === this.#waiting[0]) this.#serve(socket);
        },
        close: (socket) => {
          if (socket.data.received.length === 0) this.idleConnections += 1;
          const wasServed = socket === this.#waiting[0];
          const index = this.#waiting.indexOf(socket);
          if (index >= 0) this.#waiting.splice(index, 1);
          const [next] = this.#waiting;
          if (wasServed && next !== undefined) this.#serve(next);
        },
      },
    });
  }

  /** Base address, without a final slash. */
  get url(): string {
    return `http://127.0.0.1:${this.#listener.port}`;
  }

  #serve(socket: Bun.Socket<Connection>): void {
    const request = parseRequest(socket.data.received);
    if (request === null) return;
    void this.#answer(requestOf(request, this.url)).then(async (response) => {
      const headers = Object.fromEntries(response.headers.entries());
      socket.write(httpAnswer(response.status, await response.bytes(), headers));
      socket.end();
    });
  }

  [Symbol.dispose](): void {
    this.#listener.stop(true);
  }
}

function requestOf({ head, body }: RawRequest, base: string): Request {
  const [line = "", ...fields] = head.split("\r\n");
  const [method = "", target = ""] = line.split(" ");
  const headers = fields.map((field): [string, string] => {
    const colon = field.indexOf(":");
    return [field.slice(0, colon), field.slice(colon + 1).trim()];
  });
  return new Request(new URL(target, base).href, { method, headers, ...(body !== "" && { body }) });
}
