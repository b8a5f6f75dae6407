import type { Transport, TransportRequest, TransportResponse } from "../../http/transport.ts";

/** A transport that keeps the time of the last answer, from the provider or the proxy before it. */
export class TimedTransport implements Transport {
  readonly #transport: Transport;
  #time: string | null = null;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** From the `Date` of the last answer that had one, to the second; null before. */
  get time(): string | null {
    return this.#time;
  }

  async send(request: TransportRequest): Promise<TransportResponse> {
    const response = await this.#transport.send(request);
    const date = Date.parse(response.headers.get("date") ?? "");
    if (!Number.isNaN(date)) this.#time = new Date(date).toISOString();
    return response;
  }
}
