import * as v from "valibot";
import type { MissionUpdate } from "../client.ts";
import { MissionPublishRequest, PushItem, problemOf } from "../protocol.ts";
import { UsageError } from "../shared/errors.ts";
import { parseJson } from "../shared/json.ts";

const MAX_ITEMS = 10_000;

const Items = v.pipe(
  v.array(v.strictObject(PushItem.entries), "must be an array"),
  v.maxLength(MAX_ITEMS, `must be at most ${MAX_ITEMS} items`),
);
const Update = v.strictObject(MissionPublishRequest.entries.update.entries);

/** @throws UsageError naming the place of the problem, such as `items[3].action` */
export function parsePushItems(text: string): PushItem[] {
  return parse(Items, text, "items");
}

/** @throws UsageError naming the place of the problem, such as `update.mission_state` */
export function parseMissionUpdate(text: string): MissionUpdate {
  return parse(Update, text, "update");
}

/** @throws UsageError naming the place of the problem */
export function checkMissionUpdate(update: Readonly<Record<string, unknown>>): MissionUpdate {
  return check(Update, update, "update");
}

function parse<S extends v.GenericSchema>(schema: S, text: string, root: string): v.InferOutput<S> {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    const reason = error instanceof Error ? `: ${error.message}` : "";
    throw new UsageError(`The JSON of the ${root} is invalid${reason}. Nothing was sent.`, {
      cause: error,
    });
  }
  return check(schema, value, root);
}

function check<S extends v.GenericSchema>(schema: S, value: unknown, root: string): v.InferOutput<S> {
  const parsed = v.safeParse(schema, value, { abortEarly: true });
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new UsageError(`${placeOf(issue, root)} ${problemOf(issue)}. Nothing was sent.`);
}

/** Such as `items[3].action`. */
function placeOf({ path }: v.BaseIssue<unknown>, root: string): string {
  const steps = (path ?? []).map(({ key }) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`));
  return root + steps.join("");
}
