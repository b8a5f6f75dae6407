import { BINARY, DEADLINE_MS, type RunOptions } from "./binary.ts";

/** How to run the executable in a terminal. */
export interface TerminalRunOptions extends Omit<RunOptions, "stdin"> {
  /** Width of the terminal; 100 by default. */
  readonly columns?: number;
  /** Height of the terminal; 40 by default. */
  readonly rows?: number;
  /** Text of a shell script that runs the executable as `"$0" "$@"`; it is run by itself by default. */
  readonly script?: string;
}

/** The executable in a real pseudo-terminal, driven by what a person would type and see. */
export class TerminalSession {
  readonly #child: Bun.Subprocess;
  readonly #closed: Promise<void>;
  readonly #listeners = new Set<() => void>();
  #shown = "";

  constructor(args: readonly string[], { cwd, env, columns = 100, rows = 40, script }: TerminalRunOptions) {
    const closed = Promise.withResolvers<void>();
    const decoder = new TextDecoder();
    this.#closed = closed.promise;
    this.#child = Bun.spawn([...(script === undefined ? [] : ["sh", "-c", script]), BINARY, ...args], {
      cwd,
      env: { ...env },
      terminal: {
        cols: columns,
        rows,
        data: (_terminal, bytes) => {
          this.#shown += decoder.decode(bytes, { stream: true });
          for (const listener of this.#listeners) listener();
        },
        exit: () => closed.resolve(),
      },
    });
  }

  /** Everything shown so far, with its escape sequences. */
  get raw(): string {
    return this.#shown;
  }

  /** Everything shown so far, as text with plain line ends. */
  get text(): string {
    return Bun.stripANSI(this.#shown).replaceAll("\r\n", "\n");
  }

  /**
   * Waits until `wanted` is shown `times` times in all.
   *
   * @throws when that does not happen in time; the message holds what was shown
   */
  async waitFor(wanted: string, times = 1): Promise<void> {
    const isShown = (): boolean => this.text.split(wanted).length > times;
    if (isShown()) return;
    const shown = Promise.withResolvers<void>();
    const listener = (): void => {
      if (isShown()) shown.resolve();
    };
    this.#listeners.add(listener);
    await this.#inTime(shown.promise, `"${wanted}" was not shown ${times} time(s)`);
    this.#listeners.delete(listener);
  }

  /** Types one line and presses Enter. */
  typeLine(line: string): void {
    this.#write(`${line}\r`);
  }

  /** Types or pastes without pressing Enter. */
  type(text: string): void {
    this.#write(text);
  }

  /** Presses Ctrl-C. */
  pressInterrupt(): void {
    this.#write("\x03");
  }

  /** Changes the size of the terminal. */
  resize(columns: number, rows: number): void {
    this.#child.terminal?.resize(columns, rows);
  }

  /** Hangs up, as a lost SSH connection does. */
  hangUp(): void {
    this.#child.kill("SIGHUP");
  }

  /** Presses Ctrl-D. */
  pressEndOfInput(): void {
    this.#write("\x04");
  }

  /**
   * Waits for the end and returns the exit code.
   *
   * @throws when it does not end in time; the message holds what was shown
   */
  async exit(): Promise<number> {
    await this.#inTime(Promise.all([this.#child.exited, this.#closed]), "The program did not end");
    this.#child.terminal?.close();
    return this.#child.exitCode ?? -1;
  }

  #write(text: string): void {
    this.#child.terminal?.write(text);
  }

  async #inTime(event: Promise<unknown>, problem: string): Promise<void> {
    let timer: Timer | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        this.#child.kill("SIGKILL");
        reject(new Error(`${problem}. Shown:\n${this.text}`));
      }, DEADLINE_MS);
    });
    await Promise.race([event, late]).finally(() => clearTimeout(timer));
  }
}
