import { fstatSync, writeSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { InterruptedError, OutputClosedError, TrackerError, UsageError } from "./errors.ts";
import { readKeys } from "./hidden-line.ts";

export interface Output {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Columns of the terminal; `Infinity` where the stream is not one. */
  readonly columns: number;
  /** Rows of the terminal; 0 when it is none. */
  readonly rows: number;
  readonly color: boolean;
}

/** The streams of a terminal, for a program that redraws it. */
interface TerminalStreams {
  readonly input: Readable;
  readonly output: Writable;
}

export interface Input {
  readonly isTerminal: boolean;
  /** The next line without its end, or null at end of input. */
  readLine(): Promise<string | null>;
  /**
   * Runs `use` while the terminal echoes nothing. Only where standard input is a terminal.
   *
   * @param use receives a `readLine` that works meanwhile and throws InterruptedError on Ctrl-C
   */
  withoutEcho<T>(use: (readLine: Input["readLine"]) => Promise<T>): Promise<T>;
  /**
   * Runs `use` with the terminal's own streams, and leaves the terminal as it was.
   *
   * @throws InterruptedError on Ctrl-C
   */
  withTerminal<T>(use: (streams: TerminalStreams) => Promise<T>): Promise<T>;
  readAll(): Promise<string>;
}

/** The streams of a command. Terminals, widths, color and prompts are facts here and are never read from globals. */
export interface Io {
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly unicode: boolean;
  readonly canPrompt: boolean;
}

export type Environment = Readonly<Record<string, string | undefined>>;

const isSet = (value: string | undefined): boolean => value !== undefined && value !== "";

export const isOn = (value: string | undefined): boolean =>
  isSet(value) && !/^(?:0|false)$/i.test(value ?? "");

function wantsColor(env: Environment, isTerminal: boolean): boolean {
  if (isSet(env.NO_COLOR)) return false;
  if (isSet(env.FORCE_COLOR)) return isOn(env.FORCE_COLOR);
  return isTerminal && env.TERM !== "dumb";
}

function wantsUnicode(env: Environment, platform: string): boolean {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG;
  if (locale) return /utf-?8/i.test(locale);
  return platform === "darwin" || platform === "win32";
}

interface StreamFacts {
  readonly env: Environment;
  readonly platform: string;
  readonly stdin: Input;
  readonly stdout: Omit<Output, "color">;
  readonly stderr: Omit<Output, "color">;
}

function describe({ env, platform, stdin, stdout, stderr }: StreamFacts): Io {
  const colored = (output: Omit<Output, "color">): Output => ({
    write: (text) => output.write(text),
    get isTerminal() {
      return output.isTerminal;
    },
    get columns() {
      return output.columns;
    },
    get rows() {
      return output.rows;
    },
    color: wantsColor(env, output.isTerminal),
  });
  return {
    stdin,
    stdout: colored(stdout),
    stderr: colored(stderr),
    unicode: wantsUnicode(env, platform),
    get canPrompt() {
      return stderr.isTerminal && stdin.isTerminal && !isOn(env.CI) && !isOn(env.TRACKER_NO_INPUT);
    },
  };
}

/**
 * Reports whether a standard stream is a terminal. Creating `process.stdin` and the like takes milliseconds, so only
 * devices are asked.
 */
function isTerminal(descriptor: 0 | 1 | 2): boolean {
  try {
    if (!fstatSync(descriptor).isCharacterDevice()) return false;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EBADF") return false;
    throw error;
  }
  switch (descriptor) {
    case 0:
      return process.stdin.isTTY === true;
    case 1:
      return process.stdout.isTTY === true;
    case 2:
      return process.stderr.isTTY === true;
  }
}

/** Writes all of `text`, also to a pipe that is full at the moment. */
function writeText(descriptor: number, text: string): void {
  let rest: Uint8Array = Buffer.from(text, "utf8");
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest));
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code === "EAGAIN") Bun.sleepSync(1);
      else if (code === "EPIPE") throw new OutputClosedError();
      else throw outputUnwritable(error);
    }
  }
}

function outputUnwritable(cause: unknown): TrackerError {
  const isFull = cause instanceof Error && "code" in cause && cause.code === "ENOSPC";
  const reason = isFull ? "the disk is full" : cause instanceof Error ? cause.message : String(cause);
  return new TrackerError("output_unwritable", `Cannot write the output: ${reason}.`, {
    cause,
  });
}

const SHOW_CURSOR = "\u001b[?25h";

/** Standard input read on demand, so that a command which asks nothing consumes nothing. */
class SystemInput implements Input {
  get isTerminal(): boolean {
    return isTerminal(0);
  }

  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  #buffer = "";
  #ended = false;

  async readLine(): Promise<string | null> {
    while (!this.#buffer.includes("\n") && !this.#ended) await this.#more();
    if (this.#buffer === "") return null;
    const end = this.#buffer.indexOf("\n");
    const line = end < 0 ? this.#buffer : this.#buffer.slice(0, end);
    this.#buffer = end < 0 ? "" : this.#buffer.slice(end + 1);
    return line.replace(/\r$/, "");
  }

  async withoutEcho<T>(use: (readLine: Input["readLine"]) => Promise<T>): Promise<T> {
    process.stdin.setRawMode(true);
    try {
      return await use(() => this.#readHidden());
    } finally {
      process.stdin.setRawMode(false);
    }
  }

  async withTerminal<T>(use: (streams: TerminalStreams) => Promise<T>): Promise<T> {
    const { stdin, stderr } = process;
    let isInterrupted = false;
    const onData = (keys: Buffer | string) => {
      isInterrupted ||= keys.toString().includes("\u0003");
    };
    const restore = () => {
      stdin.off("data", onData);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write(SHOW_CURSOR);
    };
    const onHangup = () => {
      restore();
      process.exit(129);
    };
    stdin.on("data", onData);
    process.once("SIGHUP", onHangup);
    try {
      const result = await use({ input: stdin, output: stderr });
      if (isInterrupted) throw new InterruptedError();
      return result;
    } finally {
      process.off("SIGHUP", onHangup);
      restore();
    }
  }

  /** Reads a line without the terminal's own editing, which limits the length of a line. */
  async #readHidden(): Promise<string | null> {
    for (;;) {
      const line = readKeys(this.#buffer);
      if (line !== null) {
        this.#buffer = line.rest;
        return line.text;
      }
      if (this.#ended) return null;
      await this.#more();
    }
  }

  async readAll(): Promise<string> {
    while (!this.#ended) await this.#more();
    const all = this.#buffer;
    this.#buffer = "";
    return all;
  }

  async #more(): Promise<void> {
    const chunk = await nextChunk(process.stdin);
    this.#ended = chunk === null;
    try {
      this.#buffer += chunk === null ? this.#decoder.decode() : this.#decoder.decode(chunk, { stream: true });
    } catch (cause) {
      throw new UsageError("Standard input is not UTF-8 text.", { cause });
    }
  }
}

/** Reads what arrives next, and nothing after it; null at the end of the stream. */
function nextChunk(stdin: NodeJS.ReadStream): Promise<Uint8Array | null> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array | null>();
  const onData = (chunk: Uint8Array) => resolve(chunk);
  const onEnd = () => resolve(null);
  stdin.on("data", onData).on("end", onEnd).on("error", reject).resume();
  return promise.finally(() => {
    stdin.pause().off("data", onData).off("end", onEnd).off("error", reject);
  });
}

export function systemIo(env: Environment): Io {
  const output = (descriptor: 1 | 2): Omit<Output, "color"> => {
    const isShown = isTerminal(descriptor);
    return {
      write: (text) => writeText(descriptor, text),
      isTerminal: isShown,
      get columns() {
        if (!isShown) return Number.POSITIVE_INFINITY;
        return (descriptor === 1 ? process.stdout : process.stderr).columns || 80;
      },
      get rows() {
        return isShown ? (descriptor === 1 ? process.stdout : process.stderr).rows || 24 : 0;
      },
    };
  };
  return describe({
    env,
    platform: process.platform,
    stdin: new SystemInput(),
    stdout: output(1),
    stderr: output(2),
  });
}

interface MemoryIoOptions {
  readonly stdin?: string;
  readonly terminalColumns?: number;
  readonly env?: Environment;
}

/** The twin of {@link systemIo} for tests: reads from a string, writes into strings. */
export function memoryIo(options: MemoryIoOptions = {}): Io & { out(): string; err(): string } {
  const isTerminal = options.terminalColumns !== undefined;
  const written = { out: "", err: "" };
  const output = (into: "out" | "err"): Omit<Output, "color"> => ({
    write: (text) => {
      written[into] += text;
    },
    isTerminal,
    columns: options.terminalColumns ?? Number.POSITIVE_INFINITY,
    rows: 0,
  });
  const lines = (options.stdin ?? "").split("\n");
  const readLine = async (): Promise<string | null> => {
    const line = lines.shift();
    return line === undefined || (lines.length === 0 && line === "") ? null : line;
  };
  const io = describe({
    env: { LANG: "C.UTF-8", ...options.env },
    platform: "linux",
    stdin: {
      isTerminal,
      readLine,
      withoutEcho: (use) =>
        use(async () => {
          const keys = await readLine();
          return keys === null ? null : (readKeys(`${keys}\n`)?.text ?? null);
        }),
      withTerminal: () => Promise.reject(new Error("There is no terminal in memory.")),
      readAll: async () => lines.splice(0).join("\n"),
    },
    stdout: output("out"),
    stderr: output("err"),
  });
  return { ...io, out: () => written.out, err: () => written.err };
}
