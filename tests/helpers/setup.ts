/**
 * Loaded before every test file: removes what the developer's own environment
 * could add to a run, so that tests see the same world everywhere. What a test
 * is told on purpose stays: tokens of real services, and a schema to check.
 */
const TOLD = /^TRACKER_(LIVE_|LINEAR_SCHEMA$)/;

for (const name of Object.keys(process.env)) {
  if (TOLD.test(name)) continue;
  if (/^(TRACKER_|SPEC_KITTY_|https?_proxy$|all_proxy$|FORCE_COLOR$|NO_COLOR$|CI$)/i.test(name)) {
    delete process.env[name];
  }
}
