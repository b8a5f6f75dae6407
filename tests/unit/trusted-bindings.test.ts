import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TrustedBindings } from "../../src/config/trusted-bindings.ts";

const state = mkdtempSync(join(tmpdir(), "tracker-trusted-"));
const path = join(state, "trusted-bindings.json");
afterAll(() => rmSync(state, { recursive: true, force: true }));

test("a binding is accepted for one folder, and stays accepted", () => {
  const trusted = new TrustedBindings({ state });
  expect(trusted.has("/srv/payments", "srm_1")).toBe(false);
  trusted.add("/srv/payments", "srm_1");
  trusted.add("/srv/payments", "srm_2");
  trusted.add("/srv/payments", "srm_1");
  const again = new TrustedBindings({ state });
  expect(again.has("/srv/payments", "srm_1")).toBe(true);
  expect(again.has("/srv/payments", "srm_2")).toBe(true);
  expect(again.has("/srv/lure", "srm_1")).toBe(false);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test.each(["", "{", "[]", '{"/srv/payments":"srm_1"}', '{"__proto__":["srm_1"]}'])(
  "a damaged file accepts nothing: %j",
  (text) => {
    writeFileSync(path, text);
    const trusted = new TrustedBindings({ state });
    expect(trusted.has("/srv/payments", "srm_1")).toBe(false);
    trusted.add("/srv/payments", "srm_1");
    expect(trusted.has("/srv/payments", "srm_1")).toBe(true);
  },
);
