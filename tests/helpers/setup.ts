/** Loaded before every test file, so that tests see the same world everywhere. */
import fc from "fast-check";

const { TRACKER_TEST_SEED: seed = Date.now() } = process.env;
// A property that fails prints the seed.
fc.configureGlobal({ seed: Number(seed) | 0 });

/** Variables for tests alone: credentials of real services, a schema to check, the seed of generated cases. */
const FOR_TESTS = /^TRACKER_(LIVE_|LINEAR_SCHEMA$|TEST_SEED$)/;

for (const name of Object.keys(process.env)) {
  if (FOR_TESTS.test(name)) continue;
  if (/^(TRACKER_|SPEC_KITTY_|https?_proxy$|all_proxy$|FORCE_COLOR$|NO_COLOR$|CI$)/i.test(name)) {
    delete process.env[name];
  }
}

/** Folders of the fast suite, whose tests use neither processes nor sockets. */
const FAST = /\/tests\/(unit|contract)\//;

const { spawn, serve, listen } = Bun;
const exceptInFast =
  <F extends (...args: never[]) => unknown>(name: string, real: F) =>
  (...args: Parameters<F>) => {
    if (FAST.test(Bun.main.replaceAll("\\", "/"))) {
      throw new Error(`A test that uses ${name} belongs in tests/integration or tests/acceptance.`);
    }
    return real(...args);
  };
Object.assign(Bun, {
  spawn: exceptInFast("Bun.spawn", spawn),
  serve: exceptInFast("Bun.serve", serve),
  listen: exceptInFast("Bun.listen", listen),
});
