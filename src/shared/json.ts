import * as v from "valibot";

/** The deepest nesting of JSON that is read. Jira's documents may have 200 levels of two containers each. */
const MAX_JSON_DEPTH = 500;

/**
 * Parses JSON. Text that is nested too deep to be printed again counts as broken.
 *
 * @throws SyntaxError when the text is broken
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  if (text.length > MAX_JSON_DEPTH && isDeeperThan(MAX_JSON_DEPTH, value)) {
    throw new SyntaxError("JSON nested too deep");
  }
  return value;
}

export function jsonText<S extends v.GenericSchema<unknown, unknown>>(schema: S) {
  return v.pipe(
    v.string(),
    v.rawTransform(({ dataset, addIssue, NEVER }): unknown => {
      try {
        return parseJson(dataset.value);
      } catch {
        addIssue({ message: "must be JSON" });
        return NEVER;
      }
    }),
    schema,
  );
}

function isDeeperThan(depth: number, value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return depth === 0 || Object.values(value).some((entry) => isDeeperThan(depth - 1, entry));
}
