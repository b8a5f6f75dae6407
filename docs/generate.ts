/**
 * Writes docs/cli.md from the command tree, docs/openapi.json from the table of
 * requests, and the figures of docs/architecture.md: `bun run docs`. Tests compare
 * them with the code.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CommandDef } from "citty";
import { GLOBAL_ARGS, visibleNames } from "../src/cli/argv.ts";
import { describeCommand, flagsOf } from "../src/cli/render/help.ts";
import { COMMAND_TREE, EXIT_CODES } from "../src/cli.ts";
import { OPENAPI } from "../src/host/http/openapi.ts";
import { resolve } from "../src/shared/lazy.ts";

const ROOT = join(import.meta.dir, "..");

const INTRODUCTION = `# Command line

Generated from the command tree by \`bun run docs\`.

Only results go to stdout; questions, progress, warnings and errors go to stderr. With \`--json\`
the result is one JSON value; on failure stdout is empty and stderr holds one object,
\`{ "error": { code, message, hint, retryable, request_id, details, choices? } }\`. \`--verbose\` adds lines before it.
A sync that needs attention, for example after a conflict, prints its result and exits with 1.

A prompt appears only when stdin and stderr are terminals, \`CI\` is unset and neither \`--no-input\`,
\`TRACKER_NO_INPUT\` nor \`--json\` is given. Tables fit the terminal; in a pipe they are tab-separated and uncut.
`;

const ENVIRONMENT = `## Environment

| variable | meaning |
| --- | --- |
| \`TRACKER_HOST\` | control plane: a URL, or \`embedded\` |
| \`TRACKER_TOKEN\`, \`TRACKER_TEAM\` | credential for it; without a team the control plane is asked once per run |
| \`TRACKER_HOME\` | one folder for settings, credentials and state |
| \`TRACKER_VAULT_KEY\` | key that a control plane on this machine encrypts stored credentials with: 32 bytes in base64 or hexadecimal (\`openssl rand -base64 32\`); several, separated by commas, while keys are exchanged: the first one encrypts |
| \`TRACKER_<PROVIDER>_TOKEN\`, \`GH_TOKEN\`, \`GITHUB_TOKEN\`, \`GITLAB_TOKEN\`, \`JIRA_API_TOKEN\`, \`LINEAR_API_KEY\` | token of a provider that the control plane on this machine is not connected to, for one run ([connectors.md](connectors.md)) |
| \`TRACKER_NO_INPUT\` | never prompt |
| \`TRACKER_NO_UPGRADE\` | report the upgrade of an older config as \`pending_binding_upgrade\` instead of writing it |
| \`SPEC_KITTY_SAAS_URL\` | control plane, as older Spec Kitty tools name it |
| \`HTTPS_PROXY\`, \`NO_PROXY\`, \`NODE_EXTRA_CA_CERTS\` | proxy, hosts that are reached without it, file with certificate authorities to trust in addition to the system's |
| \`NO_COLOR\`, \`FORCE_COLOR\`, \`TERM=dumb\` | color off, on, off |

The control plane is the first of: \`--host\`, \`TRACKER_HOST\`, \`SPEC_KITTY_SAAS_URL\`, \`host:\` in the user's
\`config.yaml\`, \`[sync] server_url\` in \`~/.spec-kitty/config.toml\`, the embedded one. The credential is the first of:
\`TRACKER_TOKEN\`, the one stored for exactly that origin by \`tracker auth login\`, \`~/.spec-kitty/credentials\` when it
belongs to that server. A repository cannot choose either.

## Files

| file | holds |
| --- | --- |
| \`.kittify/config.yaml\` | the project's identity and binding; shared with other Spec Kitty tools, edited in place |
| \`$XDG_CONFIG_HOME/tracker/config.yaml\` | \`host:\` and \`team:\` of this user; \`upgrade: report\` does what \`TRACKER_NO_UPGRADE\` does |
| \`$XDG_CONFIG_HOME/tracker/credentials.json\` | credentials by origin, mode 0600 |
| \`$XDG_STATE_HOME/tracker/host.db\` | the embedded control plane, and \`tracker host serve\` by default |
| \`$XDG_STATE_HOME/tracker/host.db.key\` | key to the credentials in that database, mode 0600, unless \`TRACKER_VAULT_KEY\` holds it; a backup needs both files |
| \`$XDG_CONFIG_HOME/tracker/local-trackers.json\` | the projects that are bound to beads or fp on this machine, with the program to run, mode 0600 |
| \`$XDG_STATE_HOME/tracker/local/*.db\`, \`*.mappings.json\` | the issues of beads and fp, and the mappings of \`map add\`; \`*.db.lock\` prevents two syncs of the same tracker |

With \`egress: refused\` below \`tracker:\` in \`.kittify/config.yaml\`, commands that would send issues to a hosted provider
or fetch them from it fail; on-device providers still work.

On Windows \`%AppData%\\tracker\` and \`%LocalAppData%\\tracker\`.
`;

/** The documentation of every command, as Markdown. */
export async function renderCliDocs(): Promise<string> {
  const parts = [INTRODUCTION, "## Flags of every command", table("flag", flagsOf(GLOBAL_ARGS))];
  parts.push("## Commands\n", await renderCommand(["tracker"], COMMAND_TREE));
  const codes = EXIT_CODES.map(({ code, meaning }) => `| ${code} | ${meaning} |`).join("\n");
  parts.push(`## Exit codes\n\n| code | meaning |\n| --- | --- |\n${codes}\n`, ENVIRONMENT);
  return parts.join("\n");
}

async function renderCommand(path: readonly string[], command: CommandDef): Promise<string> {
  const { usage, description, words, flags } = await describeCommand(path, command);
  const subCommands = (await resolve(command.subCommands)) ?? {};
  const parts =
    path.length === 1
      ? []
      : [`### \`${usage}\`\n\n${description}.\n${table("argument", words)}${table("flag", flags)}`];
  for (const name of await visibleNames(subCommands)) {
    parts.push(await renderCommand([...path, name], await resolve(subCommands[name] ?? {})));
  }
  return parts.join("\n");
}

/** A table of names and what they mean, behind an empty line; nothing when there are none. */
function table(what: string, rows: readonly (readonly [name: string, description: string])[]): string {
  if (rows.length === 0) return "";
  const lines = rows.map(([name, text]) => `| \`${name.replaceAll("|", "\\|")}\` | ${text} |\n`);
  return `\n| ${what} | meaning |\n| --- | --- |\n${lines.join("")}`;
}

/** Replaces the table of docs/architecture.md that `bun run trace` prints. */
function writeFigures(): void {
  const figures = execFileSync(process.execPath, ["bench/trace.ts"], { cwd: ROOT, encoding: "utf8" });
  const path = join(ROOT, "docs", "architecture.md");
  const text = readFileSync(path, "utf8");
  writeFileSync(path, text.replace(/^\| command \| files .*\n(?:\|.*\n)*/m, figures));
}

if (import.meta.main) {
  writeFileSync(new URL("cli.md", import.meta.url), await renderCliDocs());
  console.log("docs/cli.md");
  writeFileSync(new URL("openapi.json", import.meta.url), `${JSON.stringify(OPENAPI, null, 2)}\n`);
  console.log("docs/openapi.json");
  writeFigures();
  console.log("docs/architecture.md");
}
