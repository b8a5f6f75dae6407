/**
 * The measured claims: `bun run bench` prints each as a ratio beside its aim.
 * A figure over its aim is marked and does not fail the run.
 */
import { Database } from "bun:sqlite";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { version } from "../package.json";
import { type Comparison, compare, type Program } from "./measure.ts";

const BINARY = join(import.meta.dir, "..", "dist", process.platform === "win32" ? "tracker.exe" : "tracker");
const IDENTITY = {
  uuid: "3f2a8c1e-5b7d-4e90-a1c2-9d8e7f6a5b4c",
  slug: "payments-api",
  node_id: "0123456789ab",
  repo_slug: "acme/payments-api",
  repo_host: "github.com",
};
const CONFIG = `project:\n  uuid: ${IDENTITY.uuid}\n  slug: ${IDENTITY.slug}\n  node_id: "${IDENTITY.node_id}"\n`;
const BIND = ["bind", "--provider", "linear", "--select", "1", "--yes"];
const DISCOVER = ["discover", "--provider", "linear"];

type Environment = Readonly<Record<string, string>>;

/** Everything that the programs run in; made once. */
interface Ground {
  readonly folder: string;
  readonly repository: string;
  readonly config: string;
  readonly env: Environment;
  /** Database of the embedded control plane. */
  readonly embeddedDatabase: string;
}

/** A control plane in a process of its own. */
interface ServedHost extends AsyncDisposable {
  /** What points a program at it. */
  readonly env: Environment;
  readonly url: string;
  /** Its database. */
  readonly database: string;
}

function makeGround(folder: string): Ground {
  const repository = join(folder, "payments-api");
  const home = join(folder, "tracker");
  const env = { PATH: process.env.PATH ?? "", HOME: folder, TRACKER_HOME: home, LANG: "C.UTF-8" };
  for (const args of [
    ["init", "--quiet", "--template=", repository],
    ["-C", repository, "remote", "add", "origin", "https://github.com/acme/payments-api.git"],
  ]) {
    const { success, stderr } = Bun.spawnSync(["git", ...args], { env });
    if (!success) throw new Error(`git ${args.join(" ")} failed: ${stderr.toString()}`);
  }
  mkdirSync(join(repository, ".kittify"));
  return {
    folder,
    repository,
    config: join(repository, ".kittify", "config.yaml"),
    env,
    embeddedDatabase: join(home, "state", "host.db"),
  };
}

/** Compiles a baseline just as the product is compiled. */
async function compile(name: string, folder: string): Promise<string> {
  const built = await Bun.build({
    entrypoints: [join(import.meta.dir, "baseline", `${name}.ts`)],
    minify: true,
    bytecode: true,
    format: "esm",
    splitting: true,
    compile: {
      outfile: join(folder, name),
      autoloadDotenv: false,
      autoloadBunfig: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
    },
  });
  const [executable] = built.outputs;
  if (executable === undefined) throw new Error(`The baseline ${name} was not built.`);
  return executable.path;
}

const Started = v.object({ url: v.string(), token: v.string() });

async function startHost({ folder, env }: Ground): Promise<ServedHost> {
  const database = join(folder, "served.db");
  const child = Bun.spawn([BINARY, "host", "serve", "--port", "0", "--database", database, "--json"], {
    cwd: folder,
    env: { ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const decoder = new TextDecoder();
  let printed = "";
  for await (const chunk of child.stdout) {
    printed += decoder.decode(chunk, { stream: true });
    if (printed.endsWith("}\n")) break;
  }
  const { url, token } = v.parse(Started, JSON.parse(printed));
  return {
    url,
    database,
    env: { TRACKER_HOST: url, TRACKER_TOKEN: token, TRACKER_TEAM: "local" },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await child.exited;
    },
  };
}

/** Runs the product once, to set the scene. */
function run(args: readonly string[], { repository, env }: Ground, more: Environment): void {
  const { success, stderr } = Bun.spawnSync([BINARY, ...args], { cwd: repository, env: { ...env, ...more } });
  if (!success) throw new Error(`tracker ${args.join(" ")} failed: ${stderr.toString()}`);
}

/** Makes a control plane forget what was bound. */
function forget(database: string): void {
  using storage = new Database(database);
  storage.run("delete from mappings");
  storage.run("delete from idempotency");
  storage.run("delete from projects");
}

/** What a program asked of a control plane and what it left in the config, without what is new in every run. */
interface Trace {
  readonly requests: readonly string[];
  readonly config: string;
}

/** Runs a program once with every request passing through here. */
async function trace(program: Program, { config }: Ground): Promise<Trace> {
  const requests: string[] = [];
  const target = program.env.TRACKER_HOST ?? "";
  await using relay = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    development: false,
    fetch: async (request) => {
      const { pathname, search } = new URL(request.url);
      const body = await request.text();
      const headers = Object.fromEntries(request.headers);
      const shown = { ...headers, host: "", "idempotency-key": headers["idempotency-key"]?.length };
      requests.push(
        `${request.method} ${pathname}${search} ${JSON.stringify(Object.entries(shown).toSorted())} ${body.replace(/"candidate_token":"[^"]*"/, "")}`,
      );
      const { host: _host, ...forwarded } = headers;
      const answer = await fetch(target + pathname + search, {
        method: request.method,
        headers: forwarded,
        ...(body === "" ? {} : { body }),
      });
      return new Response(await answer.text(), { status: answer.status });
    },
  });
  program.reset?.();
  const child = Bun.spawn([...program.command], {
    cwd: program.cwd,
    env: { ...program.env, TRACKER_HOST: relay.url.origin },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
  });
  if ((await child.exited) !== 0) throw new Error(`${program.command.join(" ")} failed.`);
  const text = readFileSync(config, "utf8").replace(/srm_\w+/, "srm");
  return { requests: requests.toSorted(), config: text };
}

/** Makes sure that two programs do the same work before their times are compared. */
async function requireSameWork(program: Program, baseline: Program, ground: Ground): Promise<void> {
  const [own, other] = [await trace(program, ground), await trace(baseline, ground)];
  if (own.requests.length > 0 && Bun.deepEquals(own, other)) return;
  throw new Error(
    `The baseline does other work.\n${JSON.stringify(own, null, 1)}\n${JSON.stringify(other, null, 1)}`,
  );
}

function show(claim: string, aim: number, figures: Comparison): void {
  const { ratio, lowest, highest, milliseconds, baselineMilliseconds } = figures;
  const cells = [
    claim.padEnd(58),
    `${ratio.toFixed(2)} x`.padStart(8),
    `${lowest.toFixed(2)}-${highest.toFixed(2)}`.padStart(12),
    `${milliseconds.toFixed(1)} ms`.padStart(9),
    `${baselineMilliseconds.toFixed(1)} ms`.padStart(9),
    `<= ${aim.toFixed(1)} x`.padStart(9),
  ];
  console.log(`${cells.join("  ")}  ${ratio <= aim ? "" : "OVER"}`.trimEnd());
}

async function bench(folder: string): Promise<void> {
  const ground = makeGround(folder);
  const hello = await compile("hello", folder);
  const client = await compile("client", folder);
  await using host = await startHost(ground);

  const { repository: cwd, config, env } = ground;
  const embedded = { TRACKER_HOST: "embedded" };
  run(["host", "connect", "linear", "--demo"], ground, host.env);
  run(["host", "connect", "linear", "--demo"], ground, embedded);

  const begin = (): void => writeFileSync(config, CONFIG);
  const beginServed = (): void => {
    begin();
    forget(host.database);
  };
  const remote = {
    ...env,
    ...host.env,
    USER_AGENT: `tracker/${version} (${process.platform}-${process.arch})`,
  };
  const product = (args: readonly string[], reset: () => void): Program => ({
    command: [BINARY, ...args],
    cwd,
    env: remote,
    reset,
  });
  const smallest = (name: string, reset: () => void): Program => ({
    command: [client, name, JSON.stringify(IDENTITY), config],
    cwd,
    env: remote,
    reset,
  });

  beginServed();
  const bind = product(BIND, beginServed);
  const smallestBind = smallest("bind", beginServed);
  const discover = product(DISCOVER, begin);
  const smallestDiscover = smallest("discover", begin);
  await requireSameWork(discover, smallestDiscover, ground);
  await requireSameWork(bind, smallestBind, ground);
  const embeddedBind: Program = {
    command: [BINARY, ...BIND],
    cwd,
    env: { ...env, ...embedded },
    reset: () => {
      begin();
      forget(ground.embeddedDatabase);
    },
  };

  console.log(`Whole processes in turn; ratio of medians, smallest-largest ratio of a pair, medians, aim.\n`);
  const bare: Program = { command: [hello], cwd, env };
  show(
    "--version vs a bare program",
    2,
    compare(
      product(["--version"], () => {}),
      bare,
      100,
    ),
  );
  show("discover vs the smallest same client", 1.5, compare(discover, smallestDiscover, 60));
  show("bind --select 1 vs the smallest same client", 1.5, compare(bind, smallestBind, 60));
  show("bind --select 1 embedded vs over loopback", 2, compare(embeddedBind, bind, 60));
}

const folder = mkdtempSync(join(tmpdir(), "tracker-bench-"));
try {
  await bench(folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
