/** A request as its bytes arrived. */
export interface RawRequest {
  /** Request line and headers. */
  readonly head: string;
  readonly body: string;
}

/** What a raw server does once a whole request has arrived. */
export interface RawAnswer {
  readonly bytes: Uint8Array | string;
  /** How the connection ends: in order, torn down, or not at all. */
  readonly end: "close" | "reset" | "stay";
}

/**
 * A loopback server that answers every request with bytes of the test's
 * choosing, for answers that no HTTP server would send.
 */
export class RawServer implements Disposable {
  readonly requests: RawRequest[] = [];
  readonly #listener: Bun.TCPSocketListener<{ received: Buffer }>;
  readonly #arrival = Promise.withResolvers<void>();

  constructor(answer: (request: RawRequest) => RawAnswer) {
    this.#listener = Bun.listen<{ received: Buffer }>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (socket) => {
          socket.data = { received: Buffer.alloc(0) };
        },
        data: (socket, bytes) => {
          socket.data.received = Buffer.concat([socket.data.received, bytes]);
          const request = parseRequest(socket.data.received);
          if (request === null) return;
          socket.data.received = Buffer.alloc(0);
          this.requests.push(request);
          this.#arrival.resolve();
          const reply = answer(request);
          if (reply.bytes.length > 0) this.#send(socket, Buffer.from(reply.bytes), reply.end);
          else finish(socket, reply.end);
        },
      },
    });
  }

  /** Base address, without a final slash. */
  get url(): string {
    return `http://127.0.0.1:${this.#listener.port}`;
  }

  /** Settles when the first request has arrived. */
  get firstRequest(): Promise<void> {
    return this.#arrival.promise;
  }

  /** Sends all of `bytes`, waiting for a slow reader, then ends the connection. */
  async #send(socket: Bun.Socket<unknown>, bytes: Buffer, end: RawAnswer["end"]): Promise<void> {
    for (let rest = bytes; ; ) {
      const written = socket.write(rest);
      if (written < 0) return;
      rest = rest.subarray(written);
      if (rest.length === 0) break;
      await Bun.sleep(1);
    }
    socket.flush();
    finish(socket, end);
  }

  [Symbol.dispose](): void {
    this.#listener.stop(true);
  }
}

function finish(socket: Bun.Socket<unknown>, end: RawAnswer["end"]): void {
  if (end === "close") socket.end();
  if (end === "reset") socket.terminate();
}

/** The request that `bytes` hold, or null when it is not complete yet. */
export function parseRequest(bytes: Buffer): RawRequest | null {
  const text = bytes.toString("latin1");
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return null;
  const head = text.slice(0, headEnd);
  const body = bytes.subarray(headEnd + 4);
  const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
  return body.length < length ? null : { head, body: body.toString("utf8") };
}

/** An HTTP/1.1 answer as bytes; `content-length` is the body's unless `headers` says otherwise. */
export function httpAnswer(
  status: number,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Uint8Array {
  const content = Buffer.from(body);
  const all = {
    "content-type": "application/json",
    "content-length": String(content.length),
    connection: "close",
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status} Scripted\r\n${lines.join("")}\r\n`), content]);
}
