/** `tracker auth login --with-token`, in memory. */
import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { CommandLine } from "../helpers/command-line.ts";

const LOGIN = ["auth", "login", "--with-token"];
const ME = {
  user_id: "u1",
  email: null,
  name: "Ada",
  teams: [{ id: "t1", slug: "acme" }],
};

test("in a terminal the token is asked for, again where an answer is none", async () => {
  using person = new CommandLine();
  person.stubs.on("GET", "/api/v1/me", Response.json(ME));
  const stdin = "\nnot a token\ntrk_2\n";
  const { code, out, err } = await person.run(LOGIN, { stdin, terminalColumns: 80 });
  expect(code).toBe(0);
  expect(out).toContain("Ada");
  expect(err.split("Access token (not shown): ")).toHaveLength(4);
  expect(out + err).not.toContain("trk_2");
  expect(person.stubs.requests[0]?.headers.authorization).toBe("Bearer trk_2");
  person.stubs.verify();
});

test("the end of the input cancels it, and nothing is sent or stored", async () => {
  using person = new CommandLine();
  const { code, out, err } = await person.run(LOGIN, { terminalColumns: 80 });
  expect({ code, out }).toEqual({ code: 0, out: "" });
  expect(err).toEndWith("\nLogin canceled\n");
  expect(readdirSync(person.folder)).toEqual([]);
  person.stubs.verify();
});

test.each([
  ["", "is empty"],
  ["\n", "is empty"],
  ["two words\n", "has spaces"],
  ["trk_2\ntrk_3\n", "has more than one line"],
])("a pipe with %j holds no token", async (stdin, problem) => {
  using person = new CommandLine();
  const { code, err } = await person.run(LOGIN, { stdin });
  expect(code).toBe(2);
  expect(err).toContain(`Standard input ${problem}.\n`);
  expect(err).toContain("For example: tracker auth login < token-file");
  person.stubs.verify();
});
