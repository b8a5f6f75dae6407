import { expect, test } from "bun:test";
import { proxyOf } from "../../src/shared/network/proxy.ts";

const HOST = "https://x.a.example:8443/";
const PROXY = "http://ada:hunter2@proxy.example:3128";

test.each([
  [{}, null],
  [{ HTTPS_PROXY: PROXY }, "proxy.example:3128"],
  [{ https_proxy: "proxy.example:1", HTTPS_PROXY: PROXY }, "proxy.example:1"],
  [{ HTTPS_PROXY: "proxy.example" }, "proxy.example"],
  [{ HTTPS_PROXY: "//" }, "with an invalid address"],
  [{ HTTP_PROXY: PROXY }, null],
  [{ ALL_PROXY: PROXY }, "proxy.example:3128"],
  [{ HTTPS_PROXY: PROXY, NO_PROXY: "*" }, null],
  [{ HTTPS_PROXY: PROXY, NO_PROXY: "b.example, .A.example" }, null],
  [{ HTTPS_PROXY: PROXY, NO_PROXY: "x.a.example:8443" }, null],
  [{ HTTPS_PROXY: PROXY, NO_PROXY: "x.a.example:9" }, "proxy.example:3128"],
  [{ HTTPS_PROXY: PROXY, NO_PROXY: ".example.com,,a.exampl" }, "proxy.example:3128"],
  [{ HTTPS_PROXY: PROXY, NO_PROXY: "xa.example" }, "proxy.example:3128"],
])("%j", (env, proxy) => {
  expect(proxyOf(new URL(HOST), env)).toBe(proxy);
});
