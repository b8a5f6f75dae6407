/**
 * Loaded before every test file: removes what the developer's own environment
 * could add to a run, so that tests see the same world everywhere.
 */
for (const name of Object.keys(process.env)) {
  if (/^(TRACKER_|SPEC_KITTY_|https?_proxy$|all_proxy$|FORCE_COLOR$|NO_COLOR$|CI$)/i.test(name)) {
    delete process.env[name];
  }
}
