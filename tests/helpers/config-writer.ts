/**
 * A program that edits a config until it is done or killed, for the tests of
 * what survives: `config-writer.ts <config> <lock> <name> <edits>`. Edit number
 * n sets `<name>_n` (when `edits` is finite), and slug and label to the same text.
 * It prints a line when the first edit is done.
 */
import { editProjectConfig } from "../../src/config.ts";

const [config = "", lock = "", name = "", edits = "0"] = process.argv.slice(2);
const count = Number(edits);

for (let edit = 0; edit < count; edit++) {
  const text = `${name}-${edit}`;
  const own = Number.isFinite(count) ? { [`${name}_${edit}`]: text } : {};
  editProjectConfig(config, lock, () => ({
    project: { slug: text },
    tracker: { display_label: text, ...own },
  }));
  if (edit === 0) process.stdout.write("editing\n");
}
