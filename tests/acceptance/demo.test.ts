/** The tour of `bun run demo`, as someone sees it who has just cloned the repository. */
import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const DEMO = join(import.meta.dir, "..", "demo.ts");

/** An empty home and an empty folder for temporary files. */
class Outside implements Disposable {
  readonly #root = mkdtempSync(join(tmpdir(), "tracker-acceptance-"));
  readonly home = join(this.#root, "home");
  readonly temporary = join(this.#root, "tmp");

  constructor() {
    mkdirSync(this.home);
    mkdirSync(this.temporary);
  }

  start(env: Readonly<Record<string, string>> = {}) {
    return Bun.spawn([process.execPath, DEMO], {
      cwd: this.home,
      env: { PATH: process.env.PATH ?? "", HOME: this.home, TMPDIR: this.temporary, ...env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
  }

  /** What is there that was not there before; `.bun` is Bun's own. */
  leftovers(): string[] {
    const all = [...readdirSync(this.temporary), ...readdirSync(this.home)];
    return all.filter((name) => name !== ".bun");
  }

  [Symbol.dispose](): void {
    rmSync(this.#root, { recursive: true, force: true });
  }
}

/** Asserts that the control plane that a transcript names has gone. */
async function expectStopped(transcript: string): Promise<void> {
  const url = /^Serving on (http:\S+)$/m.exec(transcript)?.[1] ?? "no url";
  expect(url).toStartWith("http://127.0.0.1:");
  await expect(fetch(url)).rejects.toThrow("ECONNREFUSED");
}

test("binds by itself, then by number, and leaves nothing behind", async () => {
  using outside = new Outside();
  const demo = outside.start({ LANG: "C.UTF-8" });
  const [transcript, complaints, code] = await Promise.all([
    demo.stdout.text(),
    demo.stderr.text(),
    demo.exited,
  ]);
  expect({ code, complaints }).toEqual({ code: 0, complaints: "" });

  const commands = [...transcript.matchAll(/^\$ tracker (.*)$/gm)].map(([, command]) => command);
  expect(commands).toEqual([
    "host serve --port 0 --allow-private-network &",
    "auth login --with-token",
    expect.stringMatching(/^host connect github --token-stdin --base-url http:\/\/127\.0\.0\.1:\d+$/),
    "bind --provider github",
    "issues list",
    "sync pull --all",
    "sync push --items-json items.json",
    expect.stringMatching(/^host connect linear --token-stdin --base-url http:\/\/127\.0\.0\.1:\d+$/),
    "discover --provider linear",
    "bind --provider linear --select 1 --dry-run",
    "bind --provider linear --select 1",
    "status --all",
    "unbind",
    "status",
  ]);
  expect(outputOf(transcript, "auth login --with-token")).toContain("Local owner");
  expect(outputOf(transcript, "issues list")).toContain(
    "#1\tRefunds are booked twice when the webhook is retried\ttodo\tada\t",
  );
  expect(outputOf(transcript, "sync pull --all")).toContain("3 (3 succeeded, 0 failed, 0 skipped)");
  const pushed = outputOf(transcript, "sync push --items-json items.json");
  expect(pushed).toContain("2 (2 succeeded, 0 failed, 0 skipped)");
  expect(pushed).toMatch(/^Created +#4$/m);
  expect(outputOf(transcript, "discover --provider linear")).toContain("1\tPayments API (PAY)\tlinear");
  expect(outputOf(transcript, "bind --provider github")).toContain("Bound to acme/payments-api\n");
  expect(outputOf(transcript, "bind --provider linear --select 1 --dry-run")).toContain(
    "\n-   provider: github\n",
  );
  const bound = outputOf(transcript, "bind --provider linear --select 1");
  expect(bound).toStartWith("Replaced acme/payments-api (GitHub, srm_");
  expect(bound).toContain("Bound to Payments API (PAY)\n");
  const reference = /^Reference +(srm_\w+)$/m.exec(bound)?.[1] ?? "no reference";
  expect(transcript).toContain(`tracker:\n  provider: linear\n  binding_ref: ${reference}\n`);
  expect(outputOf(transcript, "status --all")).toContain(`\tactive\tnever\t${reference}\n`);
  expect(outputOf(transcript, "unbind")).toBe(`Unbound from Payments API (PAY) (Linear, ${reference})\n`);
  expect(transcript).not.toMatch(/trk_|ghp_|lin_api_/);
  expect(transcript).not.toContain("\x1b");

  await expectStopped(transcript);
  expect(outside.leftovers()).toEqual([]);
});

test("interrupted, it stops the control plane and leaves nothing behind", async () => {
  using outside = new Outside();
  const demo = outside.start();
  const decoder = new TextDecoder();
  let transcript = "";
  for await (const chunk of demo.stdout) {
    transcript += decoder.decode(chunk, { stream: true });
    if (demo.killed || !transcript.includes("$ tracker discover")) continue;
    demo.kill("SIGINT");
  }
  expect(await demo.exited).toBe(130);
  expect(transcript).not.toContain("$ tracker unbind");
  await expectStopped(transcript);
  expect(outside.leftovers()).toEqual([]);
});

test("says that git is missing", async () => {
  using outside = new Outside();
  const demo = outside.start({ PATH: outside.home });
  expect(await demo.exited).toBe(1);
  expect(await demo.stderr.text()).toContain("This demo needs git");
  expect(outside.leftovers()).toEqual([]);
});

/** What a transcript shows under the first run of a command. */
function outputOf(transcript: string, command: string): string {
  const [, after = ""] = transcript.split(`\n$ tracker ${command}\n`);
  return after.split("\n\n#")[0]?.concat("\n") ?? "";
}
