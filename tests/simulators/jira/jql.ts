/**
 * As much JQL as programs that synchronize need; everything else is refused.
 * https://support.atlassian.com/jira-software-cloud/docs/what-is-advanced-search-in-jira-cloud/
 */

/** An issue as the index has it. */
export interface Indexed {
  readonly id: number;
  readonly projectId: string;
  readonly key: string;
  readonly number: number;
  readonly created: number;
  readonly updated: number;
  /** Words of title, description and comments, in small letters. */
  readonly words: readonly string[];
  readonly status: string;
  readonly labels: readonly string[];
}

/** A query that was understood. */
interface Query {
  readonly matches: (issue: Indexed) => boolean;
  readonly compare: (one: Indexed, other: Indexed) => number;
}

/** What the query is about, as far as it concerns the site. */
interface JqlContext {
  /** Id of a visible project with this id, key or name; null when there is none. */
  readonly projectId: (name: string) => string | null;
  /** Dates are compared in steps of so many milliseconds. */
  readonly precision: number;
}

/** A query that is refused, with Jira's words for it. */
export class JqlError extends Error {}

type Condition = (issue: Indexed) => boolean;

/** @throws JqlError */
export function parseJql(jql: string, context: JqlContext): Query {
  const [, where = "", order = ""] = /^(.*?)(?:\s*\bORDER\s+BY\b\s*(.*))?$/is.exec(jql) ?? [];
  if (where.trim() === "") {
    throw new JqlError(
      "Unbounded JQL queries are not allowed here. Please add a search restriction to your query.",
    );
  }
  const conditions = clausesOf(where).map((clause) => conditionOf(clause, context));
  const compare = order === "" ? () => 0 : comparatorOf(order, context);
  return { matches: (issue) => conditions.every((holds) => holds(issue)), compare };
}

/** Parts between `AND`, quotes respected. */
function clausesOf(where: string): readonly string[] {
  const clauses = [""];
  for (const [token] of where.matchAll(/"(?:\\.|[^"\\])*"|\bAND\b|[^"]/gi)) {
    if (/^and$/i.test(token)) clauses.push("");
    else clauses[clauses.length - 1] += token;
  }
  return clauses.map((clause) => clause.trim());
}

function conditionOf(clause: string, context: JqlContext): Condition {
  const [, field = "", operator = "", value = ""] =
    /^([a-z]+)\s*(=|~|>=|<=|<|>)\s*("(?:\\.|[^"\\])*"|[\w.-]+)$/i.exec(clause) ?? [];
  const text = value.startsWith('"') ? value.slice(1, -1).replace(/\\(["\\])/g, "$1") : value;
  switch (`${field.toLowerCase()} ${operator}`) {
    case "project =": {
      const id = context.projectId(text);
      if (id === null) throw new JqlError(`The value '${text}' does not exist for the field 'project'.`);
      return ({ projectId }) => projectId === id;
    }
    case "key =":
    case "id =":
    case "issuekey =":
      return ({ id, key }) => String(id) === text || key === text.toUpperCase();
    case "status =":
      return ({ status }) => status.toLowerCase() === text.toLowerCase();
    case "labels =":
      return ({ labels }) => labels.includes(text);
    case "text ~":
    case "summary ~":
      return textCondition(text);
    case `updated ${operator}`:
    case `created ${operator}`:
      return dateCondition(
        field.toLowerCase() === "updated" ? "updated" : "created",
        operator,
        value,
        context,
      );
    default:
      throw new JqlError(`Error in the JQL Query: '${clause}' is not understood by this simulator.`);
  }
}

function textCondition(text: string): Condition {
  if (!/^[\p{L}\p{M}\p{N}\s]+$/u.test(text) || /\b(AND|OR|NOT|TO)\b/.test(text)) {
    throw new JqlError(`Unable to parse the text '${text}' for field 'text'.`);
  }
  const wanted = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  return ({ words }) => wanted.every((word) => words.includes(word));
}

/** Bare dates are in the zone of the account, which no program knows: only epoch milliseconds are taken. */
function dateCondition(
  field: "created" | "updated",
  operator: string,
  value: string,
  { precision }: JqlContext,
): Condition {
  if (!/^\d{10,}$/.test(value)) throw new JqlError(`Date value '${value}' for field '${field}' is invalid.`);
  const step = (milliseconds: number) => Math.floor(milliseconds / precision);
  const instant = step(Number(value));
  return (issue) => {
    const own = step(issue[field]);
    switch (operator) {
      case ">=":
        return own >= instant;
      case ">":
        return own > instant;
      case "<=":
        return own <= instant;
      case "<":
        return own < instant;
      default:
        throw new JqlError(`The operator '${operator}' is not supported by the '${field}' field.`);
    }
  };
}

function comparatorOf(order: string, { precision }: JqlContext): Query["compare"] {
  const comparators = order.split(",").map((part) => {
    const [, field = "", direction = "ASC"] = /^\s*(\w+)(?:\s+(ASC|DESC))?\s*$/i.exec(part) ?? [];
    const rankOf = (issue: Indexed): number => {
      switch (field.toLowerCase()) {
        case "updated":
        case "created":
          return Math.floor(issue[field.toLowerCase() === "updated" ? "updated" : "created"] / precision);
        case "key":
        case "issuekey":
          return issue.number;
        default:
          throw new JqlError(
            `Field '${field}' does not exist or this field cannot be viewed by anonymous users.`,
          );
      }
    };
    const sign = direction.toUpperCase() === "DESC" ? -1 : 1;
    return (one: Indexed, other: Indexed) => sign * (rankOf(one) - rankOf(other));
  });
  return (one, other) =>
    comparators.map((compare) => compare(one, other)).find((result) => result !== 0) ?? 0;
}
