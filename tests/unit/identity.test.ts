import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  completeIdentity,
  deriveNodeId,
  deriveSlug,
  type IdentityFacts,
  identityEdit,
  toSlug,
  UuidReservations,
} from "../../src/config/identity.ts";
import { parseRemote } from "../../src/config/remote.ts";
import { ConfigError } from "../../src/shared/errors.ts";

describe("slugs", () => {
  test.each([
    ["Payments API", "payments-api"],
    ["payments_api", "payments-api"],
    ["  My __ Repo\t2 ", "my-repo-2"],
    ["already-fine", "already-fine"],
    ["ÜBER", "über"],
    ["", ""],
  ])("%p becomes %p", (name, slug) => {
    expect(toSlug(name)).toBe(slug);
  });

  test.each([
    ["git@github.com:acme/Payments_API.git", "payments-api"],
    ["https://github.com/acme/payments-api/", "payments-api"],
    ["git@github.com:repo.git", "repo"],
    ["/srv/git/billing.git", "billing"],
    ["C:\\git\\Billing", "billing"],
    ["https://git.example/acme/my%20repo.git", "my-repo"],
  ])("of %s is %s", (origin, slug) => {
    expect(deriveSlug(parseRemote(origin), "/home/ada/elsewhere")).toBe(slug);
  });

  test("without a remote it is the folder's, and there always is one", () => {
    expect(deriveSlug(null, "/home/ada/My Project")).toBe("my-project");
    expect(deriveSlug(null, "/")).toBe("project");
    expect(deriveSlug(null, `/${"a".repeat(300)}`)).toBe("a".repeat(200));
    expect(deriveSlug(parseRemote("///"), "/")).toBe("project");
  });
});

test("the node id is the first 12 hex digits of SHA-256 of host:user", () => {
  // printf 'laptop:ada' | sha256sum
  expect(deriveNodeId({ hostName: "laptop", userName: "ada" })).toBe("5bc01c7d3d92");
  expect(deriveNodeId({ hostName: "laptop", userName: "eve" })).not.toBe("5bc01c7d3d92");
});

describe("completing", () => {
  const facts: IdentityFacts = {
    root: "/home/ada/folder",
    folder: "",
    remote: parseRemote("git@github.com:acme/payments-api.git"),
    machine: { hostName: "laptop", userName: "ada" },
    reservedUuid: () => "fresh",
  };
  const nothing = { uuid: null, slug: null, nodeId: null, repoSlug: null };
  const everything = { uuid: "u", slug: "s", nodeId: "n", repoSlug: "o/r" };
  const uuidOf = (url: string, folder = "") =>
    completeIdentity(nothing, { ...facts, folder, remote: parseRemote(url) }).uuid;

  test("what is recorded wins; the host is never recorded", () => {
    expect(completeIdentity(everything, facts)).toEqual({ ...everything, repoHost: "github.com" });
  });

  test("what is missing is derived", () => {
    expect(completeIdentity(nothing, facts)).toEqual({
      // uuid.uuid5(uuid.NAMESPACE_URL, "https://github.com/acme/payments-api") in Python
      uuid: "2b51cb1b-a744-52a6-b0dc-0957bf8d813a",
      slug: "payments-api",
      nodeId: deriveNodeId(facts.machine),
      repoSlug: "acme/payments-api",
      repoHost: "github.com",
    });
    expect(completeIdentity({ ...nothing, slug: "mine" }, { ...facts, remote: null })).toMatchObject({
      uuid: "fresh",
      slug: "mine",
      repoSlug: null,
      repoHost: null,
    });
  });

  test("every clone derives the same uuid, whatever protocol it uses", () => {
    const uuids = [
      "git@github.com:acme/payments-api.git",
      "ssh://git@github.com/acme/payments-api",
      "ssh://git@ssh.github.com:443/acme/payments-api.git",
      "https://ada:s3cret@GitHub.com/Acme/Payments-API.git/",
      "[git@github.com:22]:acme/payments-api.git",
    ].map((url) => uuidOf(url));
    expect(new Set(uuids)).toEqual(new Set(["2b51cb1b-a744-52a6-b0dc-0957bf8d813a"]));
  });

  test("another host, path or folder is another project", () => {
    const url = "git@github.com:acme/payments-api.git";
    const uuids = [
      uuidOf(url),
      uuidOf("git@gitlab.com:acme/payments-api.git"),
      uuidOf("git@github.com:acme/payments.git"),
      uuidOf(url, "services/api"),
      uuidOf(url, "services/web"),
    ];
    expect(new Set(uuids).size).toBe(uuids.length);
  });

  test("a remote without a host or path leaves the uuid to chance", () => {
    expect(uuidOf("work:acme/payments-api")).toBe("fresh");
    expect(uuidOf("/srv/git/acme/payments-api.git")).toBe("fresh");
  });

  test("only what is missing is recorded, and never the derived repo_slug", () => {
    const identity = completeIdentity(nothing, facts);
    expect(identityEdit(nothing, identity)).toEqual({
      uuid: identity.uuid,
      slug: identity.slug,
      node_id: identity.nodeId,
    });
    expect(identityEdit({ ...nothing, uuid: "u", nodeId: "n" }, identity)).toEqual({ slug: identity.slug });
    expect(identityEdit(everything, identity)).toEqual({});
  });
});

describe("reservations", () => {
  const ROOT = "/home/ada/payments-api";
  const [A, B] = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"] as const;
  let folder = "";
  let state = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "tracker-identity-"));
    state = folder;
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const open = (): UuidReservations => new UuidReservations(state, join(state, "edit.lock"));
  const file = (): string => {
    const name = createHash("sha256").update(ROOT).digest("hex");
    return join(state, "reserved-identities", name);
  };

  test("looking reserves nothing", () => {
    const reservations = open();
    expect(reservations.peek(ROOT)).not.toBe(reservations.peek(ROOT));
    expect(readdirSync(state)).toEqual([]);
  });

  test("a bind that is repeated gets the same uuid, also in another process", () => {
    expect(open().reserve(ROOT, A)).toBe(A);
    expect(open().peek(ROOT)).toBe(A);
    expect(open().reserve(ROOT, B)).toBe(A);
  });

  test("every project has its own", () => {
    const reservations = open();
    expect(reservations.reserve(ROOT, A)).toBe(A);
    expect(reservations.reserve(`${ROOT}-2`, B)).toBe(B);
    expect(reservations.peek(ROOT)).toBe(A);
  });

  test("one that is released is forgotten; releasing nothing is fine", () => {
    const reservations = open();
    reservations.release(ROOT);
    reservations.reserve(ROOT, A);
    reservations.release(ROOT);
    expect(reservations.reserve(ROOT, B)).toBe(B);
  });

  test.each(["", "1111", `${A}${A}`, "not a uuid at all\n"])("a torn file counts as none: %p", (text) => {
    const reservations = open();
    reservations.reserve(ROOT, A);
    writeFileSync(file(), text);
    expect(reservations.peek(ROOT)).not.toBe(A);
    expect(reservations.reserve(ROOT, B)).toBe(B);
    expect(readFileSync(file(), "utf8")).toBe(B);
  });

  test("is nobody else's to read", () => {
    state = join(state, "made-by-us");
    open().reserve(ROOT, A);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(statSync(state).mode & 0o777).toBe(0o700);
  });

  test("that cannot be kept is an error that names the place", () => {
    writeFileSync(join(state, "reserved-identities"), "a file in the way");
    expect(() => open().reserve(ROOT, A)).toThrow(ConfigError);
  });
});
