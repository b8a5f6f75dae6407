import { isMap, isScalar, type Pair, type YAMLMap } from "yaml";
import {
  type ConfigDocument,
  commentsIn,
  invalidConfig,
  isNull,
  keyOf,
  ownershipKey,
  type Place,
  pairsByKey,
  parseDocument,
  placeOf,
  readText,
  readTexts,
  SECTIONS,
  type SectionName,
  sectionPair,
  unsupportedConfig,
} from "./document.ts";
import { type Change, type Changes, editFlow } from "./flow.ts";
import { verifyEdit } from "./verify.ts";
import { renderKey, renderScalar } from "./yaml-text.ts";

/** `null` writes null; a mapping replaces the old one, and an empty one removes the key. */
export type ConfigValue = string | null | { readonly [key: string]: string };
/** `undefined` removes the key; absent keys stay. */
export type SectionEdit = Readonly<Record<string, ConfigValue | undefined>>;
export interface ConfigEdit {
  readonly project?: SectionEdit;
  readonly tracker?: SectionEdit;
  /** Edits members of `tracker.ownership`, or of `tracker.doctrine` where the file has that. */
  readonly ownership?: SectionEdit;
}

const ORDER: Readonly<Record<SectionName, readonly string[]>> = {
  project: ["uuid", "slug", "node_id", "repo_slug"],
  tracker: [
    "provider",
    "binding_ref",
    "project_slug",
    "display_label",
    "provider_context",
    "workspace",
    "ownership",
    "conflict_strategy",
  ],
};

/**
 * Replaces the bytes of the edited values. Every other byte and every comment stays.
 *
 * @throws ConfigError when the text is not a valid config, or cannot be edited safely
 */
export function spliceConfig(text: string, edit: ConfigEdit): string {
  return editDocument(parseDocument(text), edit);
}

export function editDocument(document: ConfigDocument, edit: ConfigEdit): string {
  const changes = new Map<string, Change>();
  for (const name of SECTIONS) {
    const section = sectionPair(document.root, name);
    const pairs = isMap(section?.value) ? pairsByKey(section.value, name) : new Map<string, Pair>();
    const wanted = changesOf(edit[name] ?? {}, pairs, name);
    if (name === "tracker") addOwnership(wanted, edit.ownership ?? {}, pairs);
    if (wanted.size === 0) continue;
    const isEmptied =
      wanted.size === pairs.size && [...wanted.values()].every((change) => change === undefined);
    const isRemoved = isEmptied && section !== null && !hasComments(document, section);
    changes.set(name, isRemoved ? undefined : inOrder(wanted, ORDER[name]));
  }
  if (changes.size === 0) return document.text;
  const after = new Splicer(document).apply(changes);
  verifyEdit(document, edit, after);
  return after;
}

/** Changes members of the ownership mapping; the others stay. */
function addOwnership(
  wanted: Map<string, Change>,
  edit: SectionEdit,
  pairs: ReadonlyMap<string, Pair>,
): void {
  const key = ownershipKey(pairs);
  const path = `tracker.${key}`;
  const node = pairs.get(key)?.value;
  if (!isNull(node) && !isMap(node)) throw invalidConfig(`\`${path}\` must be a mapping.`);
  const members = isMap(node) ? pairsByKey(node, path) : new Map<string, Pair>();
  const changes = changesOf(edit, members, path);
  if (changes.size > 0) wanted.set(key, changes);
}

function hasComments(document: ConfigDocument, pair: Pair): boolean {
  const { start, end } = placeOf(pair);
  return commentsIn(document, start, lineEnd(document.text, end)).length > 0;
}

function lineEnd(text: string, offset: number): number {
  const end = text.indexOf("\n", offset);
  return end < 0 ? text.length : end + 1;
}

function changesOf(edit: SectionEdit, pairs: ReadonlyMap<string, Pair>, path: string): Map<string, Change> {
  const changes = new Map<string, Change>();
  for (const [key, value] of Object.entries(edit)) {
    if (key === "__proto__") throw invalidConfig(`\`${path}\` cannot get a key named __proto__.`);
    const pair = pairs.get(key);
    const empty = typeof value === "object" && value !== null && Object.keys(value).length === 0;
    if (value === undefined || empty) {
      if (pair !== undefined) changes.set(key, undefined);
    } else if (value === null) {
      if (pair === undefined || !isNull(pair.value)) changes.set(key, null);
    } else if (typeof value === "string") {
      if (pair === undefined || !isScalar(pair.value) || readText(pair.value, `${path}.${key}`) !== value) {
        changes.set(key, value);
      }
    } else {
      const nested = mapChanges(value, pair?.value, `${path}.${key}`);
      if (nested.size > 0) changes.set(key, nested);
    }
  }
  return changes;
}

function mapChanges(value: Readonly<Record<string, string>>, node: unknown, path: string): Changes {
  if (!isMap(node)) return changesOf(value, new Map(), path);
  readTexts(node, path);
  const pairs = pairsByKey(node, path);
  const surplus = [...pairs.keys()].filter((key) => !Object.hasOwn(value, key));
  const removed: SectionEdit = Object.fromEntries(surplus.map((key) => [key, undefined]));
  return changesOf({ ...value, ...removed }, pairs, path);
}

function inOrder(changes: Changes, order: readonly string[]): Changes {
  const rank = (key: string): number => (order.includes(key) ? order.indexOf(key) : order.length);
  return new Map([...changes].sort(([left], [right]) => rank(left) - rank(right)));
}

interface Splice {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** `text` consists of whole lines. */
  readonly isLines: boolean;
}

const INDENT = "  ";
const BOM = "\ufeff";

/** The splices of one edit. */
class Splicer {
  readonly #document: ConfigDocument;
  readonly #text: string;
  readonly #eol: string;
  readonly #splices: Splice[] = [];

  constructor(document: ConfigDocument) {
    this.#document = document;
    this.#text = document.text;
    this.#eol = /\r?\n/.exec(document.text)?.[0] ?? "\n";
  }

  apply(changes: Changes): string {
    const { root, end } = this.#document;
    if (root === null) this.#insertLines(end, this.#blockLines(changes, "", INDENT));
    else if (root.flow === true) this.#editFlow(root, null, changes, INDENT);
    else this.#editRoot(root, changes);
    return this.#join();
  }

  #editRoot(root: YAMLMap, changes: Changes): void {
    const indent = indentOf(root);
    const step = stepOf(root);
    const pairs = new Map(root.items.map((pair) => [keyOf(pair), pair]));
    const added = new Map<string, Change>();
    for (const [name, change] of changes) {
      const pair = pairs.get(name);
      if (pair === undefined) added.set(name, change);
      else this.#editPair(pair, change, indent, step);
    }
    this.#insertLines(this.#document.end, this.#blockLines(added, indent, step));
  }

  #editPair(pair: Pair, change: Change, indent: string, step: string): void {
    const { value } = pair;
    if (change === undefined) {
      this.#removePair(pair, indent);
    } else if (change === null || typeof change === "string") {
      this.#replaceScalar(pair, renderScalar(change), indent);
    } else if (isMap(value) && value.flow !== true) {
      this.#editBlock(pair, value, change, step);
    } else if (isMap(value) && value.items.length > 0) {
      this.#editFlow(value, keyOf(pair), change, indent + step);
    } else {
      const lines = this.#blockLines(change, indent + step, step);
      if (lines === "") return;
      const place = placeOf(pair);
      this.#keepComments(place, place.head, place.end, indent);
      this.#splice(place.head, place.end, "");
      this.#insertLines(lineEnd(this.#text, place.end), lines);
    }
  }

  #editBlock(parent: Pair, map: YAMLMap, changes: Changes, step: string): void {
    const place = placeOf(parent);
    const pairs = new Map(map.items.map((pair) => [keyOf(pair) ?? "", pair]));
    const stays = (key: string): boolean =>
      pairs.has(key) && (!changes.has(key) || changes.get(key) !== undefined);
    const indent = indentOf(map);
    const order = [...new Set([...orderOf(keyOf(parent)), ...changes.keys()])];
    const added = new Map<string | undefined, Map<string, Change>>();
    for (const [key, change] of changes) {
      if (pairs.has(key)) continue;
      const before = order.slice(0, order.indexOf(key)).findLast(stays);
      added.set(before, (added.get(before) ?? new Map<string, Change>()).set(key, change));
    }
    for (const [key, entries] of added) {
      const before = key === undefined ? undefined : pairs.get(key);
      const offset = before === undefined ? place.head : placeOf(before).end;
      this.#insertLines(lineEnd(this.#text, offset), this.#blockLines(entries, indent, step));
    }
    for (const [key, change] of changes) {
      const pair = pairs.get(key);
      if (pair !== undefined) this.#editPair(pair, change, indent, step);
    }
  }

  #editFlow(map: YAMLMap, name: string | null, changes: Changes, indent: string): void {
    const [start, end] = map.range ?? [0, 0];
    const style = { eol: this.#eol, indent, order: orderOf };
    this.#splice(start, end, editFlow(this.#document, map, name, changes, style));
  }

  #replaceScalar(pair: Pair, scalar: string, indent: string): void {
    const place = placeOf(pair);
    const { colon, value, end } = place;
    if (colon === null) throw unsupportedConfig(`\`${keyOf(pair)}\` has no colon.`);
    const isBare = value !== null && /^[ \t]+$/.test(this.#text.slice(colon, value));
    if (isBare && commentsIn(this.#document, value, end).length === 0) {
      this.#splice(value, end, scalar);
    } else {
      this.#keepComments(place, colon, end, indent);
      this.#splice(colon, end, ` ${scalar}`);
    }
  }

  /** Removes the lines of a pair of a block mapping; its comments stay. */
  #removePair(pair: Pair, indent: string): void {
    const place = placeOf(pair);
    const start = this.#lineStart(place.start);
    const end = lineEnd(this.#text, place.end);
    this.#splice(start, end, this.#commentLines(start, end, indent));
  }

  /** Moves the comments of removed text to lines of their own above the pair. */
  #keepComments(place: Place, start: number, end: number, indent: string): void {
    const lines = this.#commentLines(start, end, indent);
    if (lines !== "") this.#insertLines(this.#lineStart(place.start), lines);
  }

  #commentLines(start: number, end: number, indent: string): string {
    return commentsIn(this.#document, start, end)
      .map(({ text }) => indent + text + this.#eol)
      .join("");
  }

  #blockLines(changes: Changes, indent: string, step: string): string {
    let lines = "";
    for (const [key, change] of changes) {
      if (change === undefined) continue;
      const head = `${indent}${renderKey(key)}:`;
      if (change === null || typeof change === "string") {
        lines += `${head} ${renderScalar(change)}${this.#eol}`;
      } else {
        const nested = this.#blockLines(change, indent + step, step);
        if (nested !== "") lines += head + this.#eol + nested;
      }
    }
    return lines;
  }

  /** The key has to be the first thing on its line. */
  #lineStart(offset: number): number {
    const lineStart = this.#text.lastIndexOf("\n", offset - 1) + 1;
    const start = this.#text.startsWith(BOM, lineStart) ? lineStart + 1 : lineStart;
    if (!/^ *$/.test(this.#text.slice(start, offset))) {
      throw unsupportedConfig("a key that has to be edited is not the first thing on its line.");
    }
    return start;
  }

  #splice(start: number, end: number, text: string): void {
    this.#splices.push({ start, end, text, isLines: false });
  }

  #insertLines(offset: number, text: string): void {
    if (text !== "") this.#splices.push({ start: offset, end: offset, text, isLines: true });
  }

  #join(): string {
    const text = this.#text;
    const ordered = this.#splices.toSorted((left, right) => left.start - right.start || left.end - right.end);
    let result = "";
    let offset = 0;
    for (const splice of ordered) {
      if (splice.start < offset) throw unsupportedConfig("two edits would touch the same place.");
      result += text.slice(offset, splice.start);
      const isOpenLine = result !== "" && result !== BOM && !result.endsWith("\n");
      if (splice.isLines && isOpenLine) {
        if (this.#document.endsInBlockText)
          throw unsupportedConfig("it needs a line end after its last line.");
        result += this.#eol;
      }
      result += splice.text;
      offset = splice.end;
    }
    const wasOpen = text !== "" && text !== BOM && !text.endsWith("\n");
    const isAppended = ordered.at(-1)?.isLines === true && offset === text.length;
    return wasOpen && isAppended ? result.slice(0, -this.#eol.length) : result + text.slice(offset);
  }
}

function orderOf(key: string | null): readonly string[] {
  return SECTIONS.filter((name) => name === key).flatMap((name) => ORDER[name]);
}

function indentOf(map: YAMLMap): string {
  const token = map.srcToken;
  return " ".repeat(token?.type === "block-map" ? token.indent : 0);
}

/** The indentation of the file, taken from its first nested mapping. */
function stepOf(root: YAMLMap): string {
  const nested = root.items.map(({ value }) => value).find((value) => isMap(value) && value.flow !== true);
  return isMap(nested) ? indentOf(nested).slice(indentOf(root).length) || INDENT : INDENT;
}
