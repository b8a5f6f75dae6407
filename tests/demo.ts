/**
 * The tour that `bun run demo` gives: a GitHub and a Linear on loopback that
 * speak the real protocols, a control plane, a scratch repository, and the
 * compiled binary driven from login to unbind. It leaves nothing behind, and
 * exits non-zero when a step does not end as it should.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createColors } from "picocolors";
import * as v from "valibot";
import { startProviders } from "./demo/providers.ts";

const ROOT = join(import.meta.dir, "..");
const BINARY = join(ROOT, "dist", process.platform === "win32" ? "tracker.exe" : "tracker");
const ORIGIN = "http://127.0.0.1/acme/payments-api.git";
/** What the tour writes to the tickets. */
const ITEMS = `[
  { "ref": { "key": "#2" }, "action": "transition", "target_status": "done" },
  { "ref": {}, "action": "create", "patch": { "title": "Tell the banks about the new keys" } }
]
`;
/** What the commands see of this process's environment; nothing else of it reaches them. */
const INHERITED = ["PATH", "LANG", "LC_ALL", "LC_CTYPE", "TERM", "NO_COLOR", "SystemRoot"];

const { bold, cyan, dim } = createColors(process.stdout.isTTY === true && !process.env.NO_COLOR);

type Environment = Readonly<Record<string, string>>;

/** What the tour is given in. */
interface Scene {
  /** Removed in the end. */
  readonly folder: string;
  readonly repository: string;
  readonly env: Environment;
  /** Ends the running command and the tour. */
  readonly signal: AbortSignal;
}

/** One command of the tour. */
interface Step {
  readonly why: string;
  readonly args: readonly string[];
  readonly stdin?: string;
  /** The exit code that is right here; 0 by default. */
  readonly code?: number;
}

function say(text: string): void {
  writeSync(1, `${text}\n`);
}

function narrate(text: string): void {
  say(`\n${cyan("#")} ${text}`);
}

/** Compiles the binary, unless there is one that is newer than everything it is made of. */
async function build(signal: AbortSignal): Promise<void> {
  const sources = ["build.ts", "package.json", "bun.lock", ...new Bun.Glob("src/**").scanSync({ cwd: ROOT })];
  const newest = Math.max(...sources.map((path) => statSync(join(ROOT, path)).mtimeMs));
  if (existsSync(BINARY) && statSync(BINARY).mtimeMs > newest) return;
  narrate("Building the binary for this machine.");
  const built = Bun.spawn([process.execPath, "build.ts"], { cwd: ROOT, stdout: "ignore", stderr: 1, signal });
  if ((await built.exited) !== 0) throw new Error("The binary could not be built.");
}

/** Makes an empty home and a repository with nothing but an `origin`. */
function prepare(folder: string, signal: AbortSignal): Scene {
  const home = join(folder, "home");
  const repository = join(folder, "payments-api");
  mkdirSync(home);
  const inherited = INHERITED.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const env = {
    ...Object.fromEntries(inherited),
    HOME: home,
    TRACKER_HOME: join(home, ".tracker"),
    TMPDIR: folder,
    TEMP: folder,
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: join(home, ".gitconfig"),
  };
  const git = Bun.which("git");
  if (git === null) throw new Error("This demo needs git, and there is none on the PATH. Install git first.");
  for (const args of [
    ["init", "--quiet", "--template=", repository],
    ["-C", repository, "remote", "add", "origin", ORIGIN],
  ]) {
    const { success, stderr } = Bun.spawnSync([git, ...args], { env });
    if (!success) throw new Error(`git ${args.join(" ")} failed: ${stderr.toString()}`);
  }
  return { folder, repository, env, signal };
}

const Started = v.object({ url: v.string(), token: v.string() });

/** A control plane that serves until it is disposed of. */
interface DemoHost extends AsyncDisposable {
  readonly url: string;
  readonly token: string;
}

async function startHost({ env, folder }: Scene): Promise<DemoHost> {
  // The simulators are on this machine, where a control plane does not let itself be sent otherwise.
  const args = ["host", "serve", "--port", "0", "--allow-private-network"];
  narrate("A control plane, on a free port of this machine.");
  say(bold(`$ tracker ${args.join(" ")} &`));
  const child = Bun.spawn([BINARY, ...args, "--json"], {
    cwd: folder,
    env: { ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: 1,
    // Ctrl-C in a terminal reaches only the tour, which then stops the control plane in good order.
    detached: true,
  });
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    const code = await child.exited;
    if (code !== 0) throw new Error(`The control plane ended with exit code ${code} instead of 0.`);
  };
  let printed = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    printed += decoder.decode(chunk, { stream: true });
    if (printed.endsWith("}\n")) break;
  }
  try {
    return { ...v.parse(Started, JSON.parse(printed)), [Symbol.asyncDispose]: stop };
  } catch (error) {
    child.kill("SIGKILL");
    throw new Error(`The control plane did not start; it printed "${printed}".`, { cause: error });
  }
}

/** Shows a command and runs it; what it prints, on either stream, appears as it is. */
async function run({ repository, env, signal }: Scene, step: Step): Promise<void> {
  signal.throwIfAborted();
  const { why, args, stdin = "", code: expected = 0 } = step;
  narrate(why);
  say(bold(`$ tracker ${args.join(" ")}`));
  const child = Bun.spawn([BINARY, ...args], {
    cwd: repository,
    env: { ...env },
    stdin: Buffer.from(stdin),
    stdout: "inherit",
    stderr: 1,
    signal,
  });
  const code = await child.exited;
  signal.throwIfAborted();
  if (code !== expected) {
    throw new Error(`\`tracker ${args.join(" ")}\` ended with exit code ${code} instead of ${expected}.`);
  }
}

async function tour(scene: Scene): Promise<void> {
  await using providers = await startProviders();
  const { github, linear } = providers;
  await using host = await startHost(scene);
  say(`Serving on ${host.url}`);
  say(bold(`$ export TRACKER_HOST=${host.url}`));
  const local: Scene = { ...scene, env: { ...scene.env, TRACKER_HOST: host.url } };

  await run(local, {
    why: "Log in. The token goes in through standard input: no other process sees it.",
    args: ["auth", "login", "--with-token"],
    stdin: host.token,
  });
  await run(local, {
    why: "Connect GitHub, once per team. The token is tried first, then stored encrypted.",
    args: ["host", "connect", "github", "--token-stdin", "--base-url", github.origin],
    stdin: github.token,
  });
  await run(local, {
    why: `The repository's origin is ${ORIGIN}: on GitHub that is certain, so this binds by itself.`,
    args: ["bind", "--provider", "github"],
  });
  await run(local, { why: "The tickets behind it, as GitHub has them now.", args: ["issues", "list"] });
  await run(local, {
    why: "Take them in. From now on a pull asks only for what has changed since.",
    args: ["sync", "pull", "--all"],
  });
  narrate("Now the other way: a ticket to close, and one to file.");
  writeFileSync(join(scene.repository, "items.json"), ITEMS);
  say(bold("$ cat items.json"));
  say(ITEMS.trimEnd());
  await run(local, {
    why: "Each item has an outcome of its own.",
    args: ["sync", "push", "--items-json", "items.json"],
  });
  await run(local, {
    why: "Connect Linear the same way.",
    args: ["host", "connect", "linear", "--token-stdin", "--base-url", linear.origin],
    stdin: linear.token,
  });
  await run(local, {
    why: "What is there for this repository. The numbers are those that `bind --select` takes.",
    args: ["discover", "--provider", "linear"],
  });
  await run(local, {
    why: "Linear offers several. First what number 1 would change; nothing is written.",
    args: ["bind", "--provider", "linear", "--select", "1", "--dry-run"],
  });
  await run(local, {
    why: "Now for good: it replaces the binding to GitHub.",
    args: ["bind", "--provider", "linear", "--select", "1"],
  });

  narrate("All that the repository holds of it. Nobody typed an id.");
  say(bold("$ cat .kittify/config.yaml"));
  say(readFileSync(join(scene.repository, ".kittify", "config.yaml"), "utf8").trimEnd());

  await run(local, { why: "Everything that is bound to Linear.", args: ["status", "--all"] });
  await run(local, { why: "And back.", args: ["unbind"] });
  await run(local, {
    why: "Without a binding, `status` says what to do next, and exits 1.",
    args: ["status"],
    code: 1,
  });
}

const stop = new AbortController();
process.on("SIGINT", () => stop.abort(130));
process.on("SIGTERM", () => stop.abort(143));

const folder = mkdtempSync(join(tmpdir(), "tracker-demo-"));
try {
  await build(stop.signal);
  await tour(prepare(folder, stop.signal));
  say(`\n${dim("Done. The control plane is stopped and the scratch folder removed.")}`);
} catch (error) {
  process.exitCode = stop.signal.aborted ? Number(stop.signal.reason) : 1;
  if (!stop.signal.aborted) console.error(error instanceof Error ? error.message : error);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
