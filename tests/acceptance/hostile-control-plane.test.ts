/** Whatever a control plane answers: no trace, no hang, no change, the right exit code. */
import { describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { errorOf, type Outcome, resultOf } from "../helpers/binary.ts";
import { httpAnswer, type RawAnswer, RawServer } from "../helpers/raw-server.ts";
import { Scratch } from "../helpers/scratch.ts";
import { TEAM, TOKEN } from "../helpers/scripted-control-plane.ts";

const CONFIG = `# shared
project:
  uuid: 3f2a8c1e-5b7d-4e90-a1c2-9d8e7f6a5b4c
  slug: payments-api
  node_id: "0123456789ab"
tracker:
  provider: linear
  binding_ref: srm_OLD
  display_label: Old Team (OLD)
`;
const COMMANDS = {
  discover: ["discover", "--provider", "linear"],
  bind: ["bind", "--provider", "linear", "--yes", "--select", "1"],
  status: ["status"],
} as const;
type Command = keyof typeof COMMANDS;

/** One way to answer, and the exit codes that are right for it. */
interface Variant {
  readonly name: string;
  readonly answer: (elsewhere: string) => RawAnswer;
  /** 1 unless said otherwise. */
  readonly exits?: readonly number[];
}

const sent = (bytes: Uint8Array | string, end: RawAnswer["end"] = "close"): RawAnswer => ({ bytes, end });
const body = (text: string | Uint8Array, headers: Record<string, string> = {}): (() => RawAnswer) => {
  const bytes = httpAnswer(200, text, headers);
  return () => sent(bytes);
};
const json = (value: unknown): (() => RawAnswer) => body(JSON.stringify(value));

/** What no output may hold: control characters other than line ends and tabs, and bidi controls. */
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
const EVIL = "\u001b]0;owned\u0007\u001b[2J\u009b31m\u202egnp";
const candidate = {
  candidate_token: "cand_1",
  display_label: "Payments (PAY)",
  confidence: "high",
  match_reason: "same name",
  sort_position: 0,
};
const resource = {
  candidate_token: "cand_1",
  display_label: "Payments (PAY)",
  provider: "linear",
  provider_context: {},
  binding_ref: null,
  bound_project_slug: null,
  bound_at: null,
};

/** Bodies that are wrong for every call. */
const WRONG_BODIES: readonly Variant[] = [
  { name: "an empty body", answer: body("") },
  { name: "a space", answer: body(" ") },
  { name: "truncated JSON", answer: body('{"resources": [{"candidate_tok') },
  { name: "JSON with a tail", answer: body('{"resources": []} trailing') },
  {
    name: "an HTML page",
    answer: body(`<html><script>alert(1)</script>${EVIL}</html>`, { "content-type": "text/html" }),
  },
  { name: "plain text", answer: body("hello", { "content-type": "text/plain" }) },
  { name: "null", answer: json(null) },
  { name: "a number", answer: json(42) },
  { name: "a string", answer: json("resources") },
  { name: "an array", answer: json([]) },
  { name: "invalid UTF-8", answer: body(Uint8Array.of(0x7b, 0xff, 0xfe, 0x22, 0x7d)) },
  { name: "NUL bytes", answer: body("\0\0\0\0") },
  { name: "JSON nested 100,000 deep", answer: body("[".repeat(100_000)) },
  {
    name: "a gzip bomb of 64 MB",
    answer: body(gzipSync(Buffer.alloc(64 << 20, 0x20)), { "content-encoding": "gzip" }),
  },
  { name: "a body announced as gzip that is none", answer: body("{}", { "content-encoding": "gzip" }) },
  { name: "an unknown content encoding", answer: body("\u0001\u0002", { "content-encoding": "rot13" }) },
  { name: "12 MB of spaces", answer: body(Buffer.alloc(12 << 20, 0x20)) },
];

/** Connections that go wrong for every call. */
const WRONG_CONNECTIONS: readonly Variant[] = [
  { name: "closed without an answer", answer: () => sent("") },
  { name: "reset without an answer", answer: () => sent("", "reset") },
  { name: "reset in the head", answer: () => sent("HTTP/1.1 200 OK\r\ncontent-ty", "reset") },
  {
    name: "closed in mid-body",
    answer: () => sent(httpAnswer(200, '{"resources"', { "content-length": "5000" })),
  },
  {
    name: "reset in mid-body",
    answer: () => sent(httpAnswer(200, '{"res', { "content-length": "5000" }), "reset"),
  },
  {
    name: "a chunked body without an end",
    answer: () => sent('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"res\r\n'),
  },
  {
    name: "a broken chunk size",
    answer: () => sent("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"),
  },
  { name: "not HTTP", answer: () => sent("SSH-2.0-OpenSSH_9.9\r\n") },
  {
    name: "garbage",
    answer: () => sent(Uint8Array.from({ length: 512 }, (_, index) => (index * 7919) & 0xff)),
  },
  { name: "a status line without a status", answer: () => sent("HTTP/1.1 \r\n\r\n") },
];

const envelope = (facts: Record<string, unknown>): string =>
  JSON.stringify({ code: "internal", message: "Broken.", retryable: false, ...facts });

/** Error answers that are wrong or unkind, for every call. */
const WRONG_ERRORS: readonly Variant[] = [
  ...[400, 402, 403, 404, 405, 409, 410, 413, 418, 422, 451, 500, 501, 502, 503, 504, 599].map((status) => ({
    name: `${status} with an HTML page`,
    answer: () => sent(httpAnswer(status, `<h1>${EVIL}</h1>`, { "content-type": "text/html" })),
  })),
  { name: "401 with an empty body", answer: () => sent(httpAnswer(401, "")), exits: [4] },
  {
    name: "400 with a hostile message",
    answer: () => sent(httpAnswer(400, envelope({ message: EVIL, code: EVIL }))),
  },
  {
    name: "400 with hostile details",
    answer: () => sent(httpAnswer(400, envelope({ details: { [EVIL]: EVIL } }))),
  },
  {
    name: "400 with wrong types",
    answer: () => sent(httpAnswer(400, envelope({ code: 7, message: ["x"] }))),
  },
  {
    name: "400 with a prototype key",
    answer: () => sent(httpAnswer(400, '{"code":"x","__proto__":{"code":"y"}}')),
  },
  { name: "400 with an empty envelope", answer: () => sent(httpAnswer(400, "{}")) },
  {
    name: "400 with a hostile request id",
    answer: () => sent(httpAnswer(400, "{}", { "x-request-id": "\u009b31m" })),
  },
  {
    name: "429 that asks for a day",
    answer: () => sent(httpAnswer(429, envelope({ code: "rate_limited", retry_after_seconds: 86_400 }))),
  },
  {
    name: "429 that asks for a day by header",
    answer: () => sent(httpAnswer(429, "", { "retry-after": "86400" })),
  },
  { name: "429 that asks for no wait", answer: () => sent(httpAnswer(429, "", { "retry-after": "0" })) },
  { name: "304", answer: () => sent("HTTP/1.1 304 Not Modified\r\nconnection: close\r\n\r\n") },
  { name: "204", answer: () => sent("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n") },
];

/** Redirects, all of which are refused. */
const REDIRECTS: readonly Variant[] = [301, 302, 303, 307, 308].flatMap(
  (status) =>
    [
      {
        name: `${status} to another origin`,
        answer: (elsewhere) => sent(httpAnswer(status, "", { location: elsewhere })),
      },
      { name: `${status} to nowhere`, answer: () => sent(httpAnswer(status, "")) },
      {
        name: `${status} to a file`,
        answer: () => sent(httpAnswer(status, "", { location: `file:///etc/passwd${EVIL.at(-1)}` })),
      },
    ] satisfies Variant[],
);

/** Answers of the wrong shape for one call. */
const WRONG_SHAPES: Readonly<Record<Command, readonly Variant[]>> = {
  discover: [
    { name: "no resources", answer: json({ provider: "linear" }) },
    { name: "resources that are an object", answer: json({ resources: {} }) },
    { name: "a resource that is null", answer: json({ resources: [null] }) },
    { name: "a label that is a number", answer: json({ resources: [{ ...resource, display_label: 7 }] }) },
    {
      name: "a context that is a list",
      answer: json({ resources: [{ ...resource, provider_context: [1] }] }),
    },
    { name: "a nested context", answer: json({ resources: [{ ...resource, provider_context: { a: {} } }] }) },
    { name: "a missing token", answer: json({ resources: [{ ...resource, candidate_token: undefined }] }) },
    {
      name: "hostile labels",
      answer: json({
        resources: [{ ...resource, display_label: EVIL, provider_context: { workspace_name: EVIL } }],
      }),
      exits: [0],
    },
  ],
  bind: [
    { name: "an unknown match type", answer: json({ match_type: "perhaps", candidates: [] }) },
    { name: "no match type", answer: json({ candidates: [candidate] }) },
    { name: "exact with neither ref nor token", answer: json({ match_type: "exact", candidates: [] }) },
    {
      name: "exact with an empty ref",
      answer: json({ match_type: "exact", binding_ref: "", candidates: [] }),
    },
    { name: "exact with a ref of a number", answer: json({ match_type: "exact", binding_ref: 9 }) },
    { name: "candidates without any", answer: json({ match_type: "candidates", candidates: [] }) },
    { name: "candidates that are null", answer: json({ match_type: "candidates", candidates: null }) },
    {
      name: "a negative position",
      answer: json({ match_type: "candidates", candidates: [{ ...candidate, sort_position: -1 }] }),
    },
    {
      name: "a position beyond",
      answer: json({ match_type: "candidates", candidates: [{ ...candidate, sort_position: 7 }] }),
    },
    {
      name: "an unknown confidence",
      answer: json({ match_type: "candidates", candidates: [{ ...candidate, confidence: "sure" }] }),
    },
    // The second request, bind-confirm, gets this same answer.
    {
      name: "a resolution in place of a confirmation",
      answer: json({ match_type: "candidates", candidates: [candidate] }),
    },
  ],
  status: [
    { name: "a count that is text", answer: json({ provider: "linear", issue_count: "many" }) },
    { name: "a negative count", answer: json({ provider: "linear", issue_count: -1 }) },
    { name: "connected that is text", answer: json({ connected: "yes" }) },
    { name: "an identity path that is text", answer: json({ identity_path: "installation" }) },
    {
      name: "a hostile label",
      answer: json({ provider: EVIL, display_label: EVIL, last_error: EVIL }),
      exits: [0],
    },
  ],
};

const TABLE: readonly { readonly command: Command; readonly variant: Variant }[] = [
  ...(["discover", "bind", "status"] as const).flatMap((command) =>
    [...WRONG_BODIES, ...WRONG_CONNECTIONS, ...WRONG_SHAPES[command]].map((variant) => ({
      command,
      variant,
    })),
  ),
  ...WRONG_ERRORS.map((variant, index) => ({
    command: (["discover", "bind", "status"] as const)[index % 3] ?? "status",
    variant,
  })),
  ...REDIRECTS.map((variant, index) => ({
    command: (["discover", "bind", "status"] as const)[index % 3] ?? "status",
    variant,
  })),
];

function expectHarmless({ code, stdout, stderr }: Outcome, exits: readonly number[]): void {
  expect(exits).toContain(code);
  if (code !== 0) {
    expect(stdout).toBe("");
    expect(stderr).not.toBe("");
  }
  expect(stdout + stderr).not.toMatch(UNSAFE);
  expect(stderr).not.toMatch(/^\s+at .+[:(]\d+/m);
  expect(stderr).not.toMatch(
    /\b(TypeError|SyntaxError|ReferenceError|ValiError|FetchError|ZlibError|\[object)\b/,
  );
  expect(stdout + stderr).not.toContain(TOKEN);
}

describe("a hostile control plane", () => {
  test.each(TABLE.map((row) => [row.command, row.variant.name, row.variant] as const))(
    "%s: %s",
    async (command, _name, { answer, exits = [1] }) => {
      using elsewhere = new RawServer(() => sent(httpAnswer(200, "{}")));
      using server = new RawServer(() => answer(`${elsewhere.url}/api/v1/tracker/resources/`));
      using place = new Scratch({
        config: CONFIG,
        env: { TRACKER_HOST: server.url, TRACKER_TOKEN: TOKEN, TRACKER_TEAM: TEAM },
      });
      const args = COMMANDS[command];
      const [human, json] = await Promise.all([place.runHere(args), place.runHere([...args, "--json"])]);
      expectHarmless(human, exits);
      expectHarmless(json, exits);
      if (json.code === 0) resultOf(json);
      else expect(errorOf(json).code).not.toBe("unexpected");
      expect(server.requests.length).toBeGreaterThan(0);
      expect(elsewhere.requests).toEqual([]);
      expect(place.config()).toBe(CONFIG);
      expect([...place.files(`${place.repository}/.kittify`).keys()]).toEqual([place.configPath]);
    },
  );

  // What the runtime prints by itself is seen from outside alone.
  test.each([...WRONG_BODIES, ...WRONG_CONNECTIONS].map((variant) => [variant.name, variant] as const))(
    "as a process, status: %s",
    async (_name, { answer }) => {
      using server = new RawServer(() => answer(""));
      const env = { TRACKER_HOST: server.url, TRACKER_TOKEN: TOKEN, TRACKER_TEAM: TEAM };
      using place = new Scratch({ config: CONFIG, env });
      expectHarmless(await place.run(COMMANDS.status), [1]);
    },
  );

  test("a redirect is refused by naming its target", async () => {
    using server = new RawServer(() => sent(httpAnswer(302, "", { location: "https://evil.example/login" })));
    const env = { TRACKER_HOST: server.url, TRACKER_TOKEN: TOKEN, TRACKER_TEAM: TEAM };
    using place = new Scratch({ config: CONFIG, env });
    const { stderr } = await place.run(["status"]);
    expect(stderr).toContain("https://evil.example/login");
  });

  test("--verbose tells more, but nothing raw", async () => {
    using server = new RawServer(() => sent(httpAnswer(400, envelope({ message: EVIL, code: EVIL }))));
    const env = { TRACKER_HOST: server.url, TRACKER_TOKEN: TOKEN, TRACKER_TEAM: TEAM };
    using place = new Scratch({ config: CONFIG, env });
    for (const args of Object.values(COMMANDS)) {
      const { code, stdout, stderr } = await place.run([...args, "--verbose"]);
      expect(code).toBe(1);
      expect(stderr).toContain("/api/v1/tracker/");
      expect(stdout + stderr).not.toMatch(UNSAFE);
    }
  });

  test("a read whose answer is lost is repeated", async () => {
    using server = new RawServer(() => sent("", "reset"));
    const env = { TRACKER_HOST: server.url, TRACKER_TOKEN: TOKEN, TRACKER_TEAM: TEAM };
    using place = new Scratch({ config: CONFIG, env });
    await place.run(["status"]);
    expect(server.requests).toHaveLength(3);
  });
});
