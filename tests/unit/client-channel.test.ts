import { expect, test } from "bun:test";
import * as v from "valibot";
import { HttpChannel } from "../../src/client/channel.ts";
import { failureOf } from "../helpers/failure.ts";
import { HttpStubs, STUB_URL, StubbedNature, USER_AGENT } from "../helpers/http-stubs.ts";

const SECRET = "s3cret-canary";

function channel(stubs: HttpStubs, trace?: (line: string) => void): HttpChannel {
  return new HttpChannel({
    url: new URL(STUB_URL),
    name: STUB_URL,
    fetch: stubs.fetch,
    timing: new StubbedNature(),
    userAgent: USER_AGENT,
    ...(trace === undefined ? {} : { trace }),
  });
}

test("the trace tells attempts, pauses and failures, and no header or body", async () => {
  const stubs = new HttpStubs()
    .on("POST", "/call/?a=1", Object.assign(new Error("reset"), { code: "ECONNRESET" }))
    .on("POST", "/call/?a=1", new Response(SECRET, { status: 503, headers: { "x-secret": SECRET } }))
    .on("POST", "/call/?a=1", Response.json({ secret: SECRET }));
  const lines: string[] = [];
  const exchange = {
    method: "POST",
    path: "/call/",
    query: { a: 1, b: undefined },
    body: { secret: SECRET },
    headers: { authorization: `Bearer ${SECRET}` },
    repeat: "safe",
  } as const;
  await channel(stubs, (line) => lines.push(line)).send(exchange, v.unknown());
  expect(lines).toEqual([
    "POST /call/?a=1 host_unreachable",
    "retrying in 100 ms",
    "POST /call/?a=1 503 in 0 ms",
    "retrying in 200 ms",
    "POST /call/?a=1 200 in 0 ms",
  ]);
  stubs.verify();
});

test("a form is sent as a form", async () => {
  const stubs = new HttpStubs().on("POST", "/oauth/token", Response.json(1));
  const form = { grant_type: "x", token: "a&b=c +" };
  const sent = { method: "POST", path: "/oauth/token", form, repeat: "unsafe" } as const;
  expect(await channel(stubs).send(sent, v.number())).toBe(1);
  const [request] = stubs.requests;
  expect(request?.headers["content-type"]).toStartWith("application/x-www-form-urlencoded");
  expect(Object.fromEntries(new URLSearchParams(request?.text ?? ""))).toEqual(form);
  stubs.verify();
});

test("stubs report what was not expected and what never came", async () => {
  const stubs = new HttpStubs().on("GET", "/never", Response.json(1));
  await failureOf(channel(stubs).send({ method: "GET", path: "/other", repeat: "unsafe" }, v.unknown()));
  expect(() => stubs.verify()).toThrow(/unexpected: GET \/other[\s\S]*never requested: GET \/never/);
});
