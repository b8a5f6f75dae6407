import * as v from "valibot";
import { jsonText } from "../../../shared/json.ts";
import { ConnectorConfigError, ConnectorRequestError } from "../../errors.ts";
import { JsonValue } from "../../model.ts";
import { sentence } from "../../text.ts";
import { firstLine, type Program, type ProgramResult, readJson } from "../shared/program.ts";
import { BEADS } from "./map.ts";

/**
 * Set for every run: JSON in one envelope for all releases (https://github.com/gastownhall/beads/pull/3393),
 * no questions, no colors, and no daemon, which releases before 1.0 start with any command and leave running.
 */
export const FIXED_ENVIRONMENT = {
  BD_JSON_ENVELOPE: "1",
  BEADS_NO_DAEMON: "1",
  BEADS_AUTO_START_DAEMON: "false",
  BD_NON_INTERACTIVE: "1",
  NO_COLOR: "1",
} as const;

/** Runs `bd` and returns its output. @throws TrackerSdkError when it fails */
export async function bd(program: Program, args: readonly string[], stdin?: string): Promise<string> {
  const outcome = await program.run(args, stdin);
  if (outcome.exitCode === 0) return outcome.stdout;
  throw failureOf(outcome);
}

/** Releases wrap all answers, lists alone, or none. */
const CommandAnswer = v.union([
  v.pipe(
    v.object({ schema_version: v.number(), data: JsonValue }),
    v.transform(({ data }) => data),
  ),
  v.pipe(
    v.object({ schema_version: v.number(), items: JsonValue }),
    v.transform(({ items }) => items),
  ),
  JsonValue,
]);

/** Parses the output of `bd --json`. @throws IssuePayloadContractError when it is not JSON */
export function readAnswer(text: string, name: string): JsonValue {
  return v.parse(CommandAnswer, readJson(BEADS, text, name));
}

const NO_TRACKER = /no beads (database|project)|no active beads workspace|not initialized|bd init/i;
const BUSY =
  /database (is )?locked|deadlock|(acquire|obtain|hold)\w* .*\block|timed out|connection refused|frozen for migration/i;
const READ_ONLY = /read-?only|permission denied/i;
const NOT_FOUND = /not found|no issues? found/i;

/** Errors come on either stream, as JSON or as text; see cmd/bd/errors.go of beads. */
function failureOf({ exitCode, stdout, stderr }: ProgramResult): Error {
  const message =
    messageOf(stdout) ??
    messageOf(stderr) ??
    firstLine(stderr.trim() === "" ? stdout : stderr).replace(/^Error: /, "");
  const text = `bd: ${message || `failed with exit code ${exitCode}`}`;
  if (NO_TRACKER.test(message)) {
    const advice = `Run "bd init" there, or set "cwd" to the folder of the project.`;
    return new ConnectorConfigError(BEADS, `${sentence(text)} ${advice}`);
  }
  const failure = (failureClass: "invalid" | "not_found" | "permission" | "transient") =>
    new ConnectorRequestError(text, { provider: BEADS, failureClass });
  if (BUSY.test(message)) return failure("transient");
  if (READ_ONLY.test(message)) return failure("permission");
  return failure(NOT_FOUND.test(message) ? "not_found" : "invalid");
}

/** The message in a JSON error, at any place in the output and in any wrapping. */
function messageOf(output: string): string | null {
  const found = /"error":\s*("(?:[^"\\]|\\.)*")/.exec(output)?.[1];
  if (found === undefined) return null;
  const parsed = v.safeParse(jsonText(v.string()), found);
  return parsed.success ? firstLine(parsed.output) : null;
}
