import { isMap, isScalar, type Pair, type YAMLMap } from "yaml";
import { type ConfigDocument, commentsIn, keyOf, placeOf, unsupportedConfig } from "./document.ts";
import { quote, renderKey } from "./yaml-text.ts";

/** Undefined removes, a mapping merges into the current one, anything else replaces. */
export type Change = string | null | undefined | Changes;
export type Changes = ReadonlyMap<string, Change>;

interface FlowStyle {
  readonly eol: string;
  readonly indent: string;
  /** The order of new keys in the mapping under a key. */
  readonly order: (key: string | null) => readonly string[];
}

/** One pair of a flow mapping with the text around it, up to the commas. */
interface Entry {
  readonly key: string | null;
  readonly pair: Pair | null;
  lead: string;
  body: string;
  trail: string;
  comments: readonly string[];
}

/**
 * Edits a flow mapping (`{…}`, JSON too). The text around its pairs and every comment stay.
 *
 * @param name the key of the mapping; null for the whole document
 */
export function editFlow(
  document: ConfigDocument,
  map: YAMLMap,
  name: string | null,
  changes: Changes,
  style: FlowStyle,
): string {
  const { entries, tail } = readEntries(document, map);
  const isBare = ({ key }: Pair): boolean => isScalar(key) && key.type === "PLAIN";
  const renderName = map.items.some(isBare) ? renderKey : quote;
  const order = [...new Set([...style.order(name), ...changes.keys()])];
  let orphans = "";
  for (const [key, change] of changes) {
    const index = entries.findIndex((entry) => entry.key === key);
    const entry = entries[index];
    if (entry === undefined) {
      if (change === undefined) continue;
      const before = order
        .slice(0, order.indexOf(key))
        .findLast((known) => entries.some((e) => e.key === known));
      const at = name === null ? entries.length : entries.findIndex((e) => e.key === before) + 1;
      insertEntry(entries, at, key, `${renderName(key)}: ${flowValue(change)}`);
    } else if (change === undefined) {
      orphans += removeEntry(entries, index, style);
    } else if (entry.pair !== null) {
      entry.body = editPair(document, entry.pair, change, style);
    }
  }
  const inside = entries.map(({ lead, body, trail }) => lead + body + trail).join(",");
  return `{${orphans}${inside}${entries.length === 0 ? tail.replace(/^,/, "") : tail}}`;
}

function readEntries(document: ConfigDocument, map: YAMLMap): { entries: Entry[]; tail: string } {
  const token = map.srcToken;
  if (token?.type !== "flow-collection") throw unsupportedConfig("a mapping is written in an unusual way.");
  const close = token.end[0]?.offset ?? token.offset;
  const commas = token.items.flatMap(({ start }) => start.filter((part) => part.type === "comma"));
  const bounds = [token.offset, ...commas.map((comma) => comma.offset), close];
  const { text } = document;
  const entries = map.items.map((pair, index): Entry => {
    const place = placeOf(pair);
    const from = (bounds[index] ?? token.offset) + 1;
    const to = bounds[index + 1] ?? close;
    return {
      key: keyOf(pair),
      pair,
      lead: text.slice(from, place.start),
      body: text.slice(place.start, place.end),
      trail: text.slice(place.end, to),
      comments: commentsIn(document, from, to).map((comment) => comment.text),
    };
  });
  const tailStart = entries.length === 0 ? token.offset + 1 : (bounds[entries.length] ?? close);
  return { entries, tail: text.slice(tailStart, close) };
}

function insertEntry(entries: Entry[], at: number, key: string, body: string): void {
  const isBlank = (text: string): boolean => text.trim() === "";
  const entry: Entry = { key, pair: null, lead: "", body, trail: "", comments: [] };
  const leads = entries.map(({ lead }) => lead);
  const last = entries.at(-1);
  const [first] = entries;
  const usual = leads.slice(1).find(isBlank) ?? (leads[0]?.includes("\n") ? startOf(leads[0]) : " ");
  if (at > 0) {
    entry.lead = usual;
  } else if (first !== undefined) {
    entry.lead = startOf(first.lead);
    if (isBlank(first.lead)) first.lead = usual;
  }
  if (at === entries.length && last !== undefined && isBlank(last.trail)) {
    entry.trail = last.trail;
    last.trail = "";
  }
  entries.splice(at, 0, entry);
}

function startOf(text: string): string {
  return text.slice(0, text.length - text.trimStart().length);
}

/** Removes an entry; returns its comments when no other entry is left to carry them. */
function removeEntry(entries: Entry[], index: number, { eol, indent }: FlowStyle): string {
  const [gone] = entries.splice(index, 1);
  if (gone === undefined) return "";
  const comments = gone.comments.map((comment) => ` ${comment}${eol}${indent}`).join("");
  const next = entries[index];
  const previous = entries[index - 1];
  if (next !== undefined) {
    next.comments = [...gone.comments, ...next.comments];
    if (comments !== "") next.lead = comments + next.lead;
    else if (index === 0) next.lead = startOf(gone.lead) + next.lead.trimStart();
    return "";
  }
  if (previous !== undefined) {
    previous.comments = [...previous.comments, ...gone.comments];
    if (comments !== "") previous.trail += comments;
    else if (previous.trail === "") previous.trail = gone.trail;
    return "";
  }
  return comments;
}

function editPair(
  document: ConfigDocument,
  pair: Pair,
  change: string | null | Changes,
  style: FlowStyle,
): string {
  const { text } = document;
  const { start, colon, head, value, end } = placeOf(pair);
  const isMerge = change !== null && typeof change !== "string";
  if (isMerge && isMap(pair.value) && value !== null) {
    return text.slice(start, value) + editFlow(document, pair.value, keyOf(pair), change, style);
  }
  const comments = commentsIn(document, colon ?? head, end).map(
    (comment) => comment.text + style.eol + style.indent,
  );
  return `${comments.join("")}${text.slice(start, colon ?? head)}${colon === null ? ":" : ""} ${flowValue(change)}`;
}

function flowValue(change: string | null | Changes): string {
  if (change === null) return "null";
  if (typeof change === "string") return quote(change);
  const entries = [...change].flatMap(([key, value]) =>
    value === undefined ? [] : [`${quote(key)}: ${flowValue(value)}`],
  );
  return `{${entries.join(", ")}}`;
}
