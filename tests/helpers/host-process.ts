import { expect } from "bun:test";
import * as v from "valibot";
import { BINARY, DEADLINE_MS } from "./binary.ts";
import type { Scratch } from "./scratch.ts";

const Started = v.looseObject({ url: v.string(), token: v.nullable(v.string()) });

/** A running `tracker host serve`. */
export interface HostProcess extends AsyncDisposable {
  readonly url: string;
  /** The environment that points the executable at it. */
  readonly env: Readonly<Record<string, string>>;
  /** Kills it without warning. */
  kill(): Promise<void>;
}

/** Which data a host serves, and where. */
interface HostOptions {
  /** Throw-away demo data unless other flags are given. */
  readonly flags?: readonly string[];
  /** A free one by default. */
  readonly port?: number;
  /** The owner's token, for a database that had its first start. */
  readonly token?: string;
}

/**
 * Starts a host on loopback; what it leaves behind when killed goes away with
 * `owner`. Disposal stops it with SIGTERM and asserts that it ends by itself
 * with exit code 0.
 */
export async function startHost(
  owner: Scratch,
  { flags = ["--demo"], port = 0, token: known = "" }: HostOptions = {},
): Promise<HostProcess> {
  const child = Bun.spawn([BINARY, "host", "serve", "--port", String(port), "--json", ...flags], {
    env: { ...owner.env, TMPDIR: owner.root },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const complaints = child.stderr.text();
  const timer = setTimeout(() => child.kill("SIGKILL"), DEADLINE_MS);
  const decoder = new TextDecoder();
  let line = "";
  for await (const chunk of child.stdout) {
    line += decoder.decode(chunk, { stream: true });
    if (isJson(line)) break;
  }
  clearTimeout(timer);
  if (!isJson(line)) throw new Error(`The host did not start. stdout: ${line} stderr: ${await complaints}`);
  const { url, token } = v.parse(Started, JSON.parse(line));
  return {
    url: url.replace(/\/$/, ""),
    env: { TRACKER_HOST: url, TRACKER_TOKEN: token ?? known, TRACKER_TEAM: "local" },
    kill: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      const late = setTimeout(() => child.kill("SIGKILL"), DEADLINE_MS);
      const code = await child.exited;
      clearTimeout(late);
      expect(code).toBe(0);
    },
  };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
