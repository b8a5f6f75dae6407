import { isAlias, isMap, isScalar, isSeq, type Pair } from "yaml";
import { ConfigError } from "../shared/errors.ts";
import {
  type ConfigDocument,
  invalidConfig,
  isNull,
  keyOf,
  ownershipKey,
  pairsByKey,
  parseDocument,
  SECTIONS,
  unsupportedConfig,
} from "./document.ts";
import type { ConfigEdit, ConfigValue, SectionEdit } from "./splice.ts";

/** @throws ConfigError unless `after` has the edited values, every other value of `before` and every comment */
export function verifyEdit(before: ConfigDocument, edit: ConfigEdit, after: string): void {
  const intention = meaningOf(before, edit, "intended");
  let outcome: string;
  try {
    outcome = meaningOf(parseDocument(after), edit, "found");
  } catch (error) {
    if (!(error instanceof ConfigError) || error.code === "config_too_large") throw error;
    throw unsupportedConfig(UNSAFE, error);
  }
  if (outcome !== intention) throw unsupportedConfig(UNSAFE);
}

const UNSAFE = "it is written in a way that this program cannot edit safely.";

/** The whole content of a document as one text, with the intended or the found values of edited keys. */
function meaningOf(document: ConfigDocument, edit: ConfigEdit, edited: "intended" | "found"): string {
  const { describe, head } = describer();
  const sections: Record<string, string[]> = {};
  /** The members of a mapping. Edited ones count only when they are compared, their anchors always. */
  const membersOf = (node: unknown, wanted: SectionEdit, ownership: Pair | null = null): string[] =>
    (isMap(node) ? node.items : []).flatMap((pair) => {
      if (pair === ownership) {
        head(pair.value);
        sections.ownership = membersOf(pair.value, edit.ownership ?? {});
        return [];
      }
      const name = isScalar(pair.key) ? (pair.key.source ?? "") : "";
      const entry = `${describe(pair.key)}: ${describe(pair.value)}`;
      if (!Object.hasOwn(wanted, name)) return [entry];
      return edited === "found" ? [`${JSON.stringify(name)} = ${found(pair.value)}`] : [];
    });
  const rest: string[] = [];
  for (const pair of document.root?.items ?? []) {
    const name = SECTIONS.find((section) => section === keyOf(pair));
    if (name === undefined || !(isMap(pair.value) || isNull(pair.value))) {
      rest.push(`${describe(pair.key)}: ${describe(pair.value)}`);
      continue;
    }
    head(pair.value);
    const ownership = name === "tracker" && edit.ownership !== undefined ? ownershipPair(pair.value) : null;
    sections[name] = membersOf(pair.value, edit[name] ?? {}, ownership);
  }
  const wanted = { project: edit.project, tracker: edit.tracker, ownership: edit.ownership };
  const meant = Object.entries(wanted).map(([name, section = {}]) =>
    [...(sections[name] ?? []), ...(edited === "intended" ? intended(section) : [])].sort(),
  );
  const comments = document.comments.map(({ text }) => text).sort();
  return JSON.stringify([rest, meant, comments]);
}

/** Null when the section has none, or it is no mapping. */
function ownershipPair(tracker: unknown): Pair | null {
  if (!isMap(tracker)) return null;
  const pairs = pairsByKey(tracker, "tracker");
  const pair = pairs.get(ownershipKey(pairs));
  return pair !== undefined && (isMap(pair.value) || isNull(pair.value)) ? pair : null;
}

function intended(wanted: Readonly<Record<string, ConfigValue | undefined>>): string[] {
  return Object.entries(wanted).flatMap(([key, value]) => {
    if (value === undefined) return [];
    if (value === null || typeof value === "string")
      return [`${JSON.stringify(key)} = ${JSON.stringify(value)}`];
    const entries = Object.entries(value).sort(byKey);
    return entries.length === 0 ? [] : [`${JSON.stringify(key)} = ${JSON.stringify(entries)}`];
  });
}

function found(node: unknown): string {
  if (isNull(node)) return "null";
  if (isScalar(node)) return JSON.stringify(node.source ?? "");
  if (!isMap(node)) return "something else";
  const entries = node.items.map(({ key, value }) => [
    isScalar(key) ? (key.source ?? "") : "",
    isScalar(value) && !isNull(value) ? value.source : null,
  ]);
  return JSON.stringify(entries.sort(byKey));
}

function byKey([left]: readonly unknown[], [right]: readonly unknown[]): number {
  return String(left) < String(right) ? -1 : 1;
}

/**
 * Describes nodes without following aliases, which may expand without end. An
 * alias is described by the definition of its anchor.
 */
function describer(): { describe: (node: unknown) => string; head: (node: unknown) => string } {
  const definitions = new Map<string, number>();
  /** The anchor, defined from here on, and the tag. */
  const head = (node: unknown): string => {
    if (!isScalar(node) && !isMap(node) && !isSeq(node)) return "";
    const { anchor, tag } = node;
    if (anchor !== undefined) definitions.set(anchor, (definitions.get(anchor) ?? 0) + 1);
    return `${anchor === undefined ? "" : `&${anchor} `}${tag === undefined ? "" : `!<${tag}> `}`;
  };
  const describe = (node: unknown): string => {
    if (node === null || node === undefined) return '""';
    if (isAlias(node)) {
      const definition = definitions.get(node.source);
      if (definition === undefined) throw invalidConfig(`the alias *${node.source} has no anchor before it.`);
      return `*${node.source} ${definition}`;
    }
    const start = head(node);
    if (isScalar(node))
      return `${start}${node.type === "PLAIN" ? "" : "'"}${JSON.stringify(node.source ?? "")}`;
    if (isSeq(node)) return `${start}[${node.items.map(describe).join(", ")}]`;
    if (!isMap(node)) return "?";
    return `${start}{${node.items.map(({ key, value }) => `${describe(key)}: ${describe(value)}`).join(", ")}}`;
  };
  return { describe, head };
}
