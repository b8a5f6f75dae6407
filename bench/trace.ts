/**
 * Counts the code behind one command: `bun run trace` prints how many files and
 * functions of `src` it runs, and how many requests reach the provider. The
 * whole program runs in this process: the command line over streams in memory,
 * the embedded control plane, and a simulated GitHub on loopback.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type Profiler, Session } from "node:inspector/promises";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { pathToFileURL } from "node:url";

/** The code that one command ran. */
interface Trace {
  readonly title: string;
  readonly files: number;
  readonly functions: number;
  readonly providerRequests: number;
}

/** One command line, with its standard input. */
interface Step {
  readonly title: string;
  readonly args: readonly string[];
  readonly stdin?: string;
}

const REPOSITORY = "acme/payments-api";
const PAGE_SIZE = 50;
const TITLE = [{ ref: { key: "#1" }, action: "update", patch: { title: "Refund once" } }];
const STEPS: readonly Step[] = [
  { title: "One `bind`", args: ["bind", "--provider", "github"] },
  { title: `One pull of ${PAGE_SIZE} issues`, args: ["sync", "pull", "--limit", String(PAGE_SIZE)] },
  { title: "One push of a title", args: ["sync", "push", "--items-json", "-"], stdin: JSON.stringify(TITLE) },
];
const SOURCES = pathToFileURL(join(import.meta.dir, "..", "src") + sep).href;

/** A connected project in which nothing has happened. */
interface World extends AsyncDisposable {
  run(step: Step): Promise<void>;
  /** Requests that the provider has received. */
  requests(): number;
}

/** Imports the program only here: code that is loaded before the profiler starts is not counted. */
async function openWorld(): Promise<World> {
  const { run } = await import("../src/cli.ts");
  const { memoryIo } = await import("../src/shared/io.ts");
  const { systemContext } = await import("../src/shared/system.ts");
  const { GitHubSimulator } = await import("../tests/simulators/github/index.ts");

  const system = systemContext();
  const folder = mkdtempSync(join(tmpdir(), "tracker-trace-"));
  const cwd = join(folder, "payments-api");
  const env = {
    PATH: system.env.PATH ?? "",
    TRACKER_HOME: join(folder, "home"),
    TRACKER_HOST: "embedded",
    NO_COLOR: "1",
  };
  const github = await new GitHubSimulator({
    workspaces: [{ login: "acme", repositories: [{ name: "payments-api" }] }],
  }).start();
  for (let number = 1; number <= PAGE_SIZE; number++) {
    github.addIssue(REPOSITORY, { title: `Refund ${number}` });
  }
  mkdirSync(join(cwd, ".git"), { recursive: true });
  writeFileSync(join(cwd, ".git", "HEAD"), "ref: refs/heads/main\n");
  mkdirSync(join(cwd, ".git", "objects"));
  mkdirSync(join(cwd, ".git", "refs"));
  writeFileSync(
    join(cwd, ".git", "config"),
    `[core]\n\trepositoryformatversion = 0\n[remote "origin"]\n\turl = ${github.origin}/${REPOSITORY}.git\n`,
  );
  const world: World = {
    run: async ({ args, stdin = "" }) => {
      const io = memoryIo({ stdin, env });
      const code = await run(args, { ...system, io, env, cwd });
      if (code !== 0) throw new Error(`tracker ${args.join(" ")} ended with exit code ${code}: ${io.err()}`);
    },
    requests: () => github.requests.length,
    [Symbol.asyncDispose]: async () => {
      await github.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  const connect = ["host", "connect", "github", "--token-stdin", "--base-url", github.origin];
  await world.run({ title: "Connect", args: connect, stdin: `${github.token}\n` });
  return world;
}

/**
 * Counts each command in its second run, in a world of its own: the first run
 * loads the modules, and loading runs code too.
 */
async function trace(): Promise<readonly Trace[]> {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.startPreciseCoverage", { callCount: true });
  await using first = await openWorld();
  for (const step of STEPS) await first.run(step);
  await using second = await openWorld();
  const traces: Trace[] = [];
  for (const step of STEPS) {
    const requestsBefore = second.requests();
    // Taking the counts resets them.
    await session.post("Profiler.takePreciseCoverage");
    await second.run(step);
    const { result } = await session.post("Profiler.takePreciseCoverage");
    const counts = result.filter(({ url }) => url.startsWith(SOURCES)).map(functionsRun);
    traces.push({
      title: step.title,
      files: counts.filter((count) => count > 0).length,
      functions: counts.reduce((sum, count) => sum + count, 0),
      providerRequests: second.requests() - requestsBefore,
    });
  }
  return traces;
}

/** The number of functions of a file that were called; the first entry is the file itself. */
function functionsRun({ functions: [, ...functions] }: Profiler.ScriptCoverage): number {
  return functions.filter(({ ranges }) => (ranges[0]?.count ?? 0) > 0).length;
}

const rows = (await trace()).map(
  ({ title, files, functions, providerRequests }) =>
    `| ${title} | ${files} | ${functions} | ${providerRequests} |`,
);
console.log(
  ["| command | files | functions | provider requests |", "| --- | --- | --- | --- |", ...rows].join("\n"),
);
