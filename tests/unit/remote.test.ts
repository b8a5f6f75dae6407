import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseRemote } from "../../src/config/remote.ts";

describe("the path", () => {
  test.each([
    ["git@github.com:acme/payments-api.git", "acme/payments-api"],
    ["git@github.com:acme/payments-api", "acme/payments-api"],
    ["github.com:acme/payments-api.git", "acme/payments-api"],
    ["git@gitlab.example:group/sub/deeper/repo.git", "group/sub/deeper/repo"],
    ["git@host:/acme/repo.git", "acme/repo"],
    ["[git@git.example:2222]:acme/repo.git", "acme/repo"],
    ["git@[git.example:2222]:acme/repo.git", "acme/repo"],
    ["git@[2001:db8::1]:acme/repo.git", "acme/repo"],
    ["[2001:db8::1]:acme/repo.git", "acme/repo"],
    ["ssh://git@[2001:db8::1]:2222/acme/repo.git", "acme/repo"],
    ["ssh://git@github.com/acme/repo.git", "acme/repo"],
    ["ssh://git@git.example:2222/acme/repo.git", "acme/repo"],
    ["git+ssh://git@git.example/acme/repo.git", "acme/repo"],
    ["git://git.example/acme/repo.git", "acme/repo"],
    ["https://github.com/acme/repo.git", "acme/repo"],
    ["https://github.com/acme/repo", "acme/repo"],
    ["https://github.com/acme/repo/", "acme/repo"],
    ["https://github.com/acme/repo.git/", "acme/repo"],
    ["https://ada:s3cret@git.example:8443/acme/repo.git", "acme/repo"],
    ["https://gitlab.example/group/sub/repo.git", "group/sub/repo"],
    ["http://127.0.0.1:3000/acme/repo.git", "acme/repo"],
    ["https://github.com/acme/re.po.git", "acme/re.po"],
    ["https://github.com/acme/repo.git.git", "acme/repo.git"],
    ["https://github.com/Acme/Repo", "Acme/Repo"],
  ])("of %s is %s", (url, path) => {
    expect(parseRemote(url).path).toBe(path);
  });

  test.each([
    ["https://git.example/acme/my%20repo.git", "acme/my repo"],
    ["https://git.example/gr%C3%BCn/repo", "grün/repo"],
    ["https://git.example/grün/repo", "grün/repo"],
    ["git@git.example:grün/repo.git", "grün/repo"],
    ["https://git.example/acme/a%2Fb", "acme/a%2Fb"],
    ["https://git.example/acme/100%", "acme/100%"],
  ])("is decoded as over ssh: %s is %s", (url, path) => {
    expect(parseRemote(url).path).toBe(path);
  });

  test.each([
    "",
    "repo",
    "/srv/git/acme/repo.git",
    "./acme/repo",
    "../acme/repo.git",
    "~/git/acme/repo.git",
    "../acme/repo.bundle",
    "/media/usb/acme.bundle",
    "file:///srv/git/acme/repo.git",
    "C:\\git\\acme\\repo",
    "C:/git/acme/repo.git",
    "\\\\server\\share\\repo",
    "git@github.com:repo.git",
    "https://github.com/",
    "https://github.com/repo.git",
    "https://github.com/acme//repo",
    "ftp://git.example/acme/repo.git",
    `https://git.example/acme/${"deep/".repeat(120)}repo`,
  ])("%s has none", (url) => {
    expect(parseRemote(url).path).toBeNull();
  });

  test("of any text has two or more parts, or is null", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.webUrl()), (url) => {
        const { path } = parseRemote(url);
        return path === null || /^[^/]+(\/[^/]+)+$/s.test(path);
      }),
    );
  });
});

describe("the host", () => {
  test.each([
    ["git@github.com:acme/repo.git", "github.com"],
    ["git@GitHub.COM:acme/repo.git", "github.com"],
    ["https://ada:s3cret@Git.Example:8443/acme/repo", "git.example"],
    ["ssh://git@git.example:2222/acme/repo.git", "git.example"],
    ["[git@git.example:2222]:acme/repo.git", "git.example"],
    ["ssh://git@ssh.github.com:443/acme/repo.git", "github.com"],
    ["ssh://git@altssh.gitlab.com:443/acme/repo.git", "gitlab.com"],
    ["git@[2001:db8::1]:acme/repo.git", "2001:db8::1"],
    ["ssh://git@[2001:db8::1]/acme/repo.git", "2001:db8::1"],
    ["http://127.0.0.1:3000/acme/repo.git", "127.0.0.1"],
    ["http://localhost:3000/acme/repo.git", "localhost"],
    ["https://git.example./acme/repo.git", "git.example"],
  ])("of %s is %s", (url, host) => {
    expect(parseRemote(url).host).toBe(host);
  });

  test.each(["work:acme/repo.git", "git@gh-work:acme/repo.git", "ssh://git@work/acme/repo.git"])(
    "%s is an SSH alias: it has a path and no host",
    (url) => {
      expect(parseRemote(url)).toMatchObject({ host: null, path: "acme/repo" });
    },
  );

  test.each(["/srv/git/repo.git", "../repo", "file:///srv/a/b.git", "C:\\git\\a\\b", "~/a/b"])(
    "%s is on this machine",
    (url) => {
      expect(parseRemote(url)).toMatchObject({ host: null, path: null });
    },
  );
});

test.each([
  ["git@github.com:acme/Payments_API.git", "Payments_API"],
  ["https://github.com/acme/payments-api/", "payments-api"],
  ["git@github.com:repo.git", "repo"],
  ["/srv/git/billing.git", "billing"],
  ["../backups/billing.bundle", "billing"],
  ["C:\\git\\Billing", "Billing"],
  ["https://git.example/acme/my%20repo.git", "my repo"],
  ["///", ""],
])("the name of %s is %s", (url, name) => {
  expect(parseRemote(url).name).toBe(name);
});
