/** Answers of Linear that are not what they should be. */
import type { SimulatedAnswer } from "../server.ts";

/** The answer with something else at a path of its data. */
export function changed(
  answer: SimulatedAnswer,
  path: string,
  change: (value: unknown) => unknown,
): SimulatedAnswer {
  const body: unknown = JSON.parse(JSON.stringify(answer.body));
  return { ...answer, body: changedAt(body, ["data", ...path.split(".")], change) };
}

function changedAt(
  value: unknown,
  [name, ...rest]: readonly string[],
  change: (value: unknown) => unknown,
): unknown {
  if (name === undefined) return change(value);
  if (typeof value !== "object" || value === null) throw new Error(`there is no ${name}`);
  const member: unknown = Object.getOwnPropertyDescriptor(value, name)?.value;
  return Object.assign(value, { [name]: changedAt(member, rest, change) });
}
