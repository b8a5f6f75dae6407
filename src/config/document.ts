import { Composer, type CST, isAlias, isMap, isScalar, Lexer, type Pair, Parser, type YAMLMap } from "yaml";
import { ConfigError } from "../shared/errors.ts";

export const SECTIONS = ["project", "tracker"] as const;
export type SectionName = (typeof SECTIONS)[number];

export const MAX_CONFIG_BYTES = 256 * 1024;
const MAX_DEPTH = 64;
/** A part is a key, a value, a mark or a gap; a line has about eight. */
const MAX_PARTS = 10_000;
const MAX_PART_LENGTH = 32 * 1024;

export interface Comment {
  readonly offset: number;
  readonly text: string;
}

/** A parsed configuration file with the offset of each part, in UTF-16 units. */
export interface ConfigDocument {
  readonly text: string;
  readonly root: YAMLMap | null;
  readonly comments: readonly Comment[];
  /** The end, or the document end marker: text is appended here. */
  readonly end: number;
  /** The text ends inside a block text, whose value a new line would change. */
  readonly endsInBlockText: boolean;
}

const FILE = ".kittify/config.yaml";

export function invalidConfig(problem: string): ConfigError {
  return new ConfigError("config_invalid", `${FILE}: ${problem}`);
}

/** The file may be valid, but has a feature that this program does not edit. */
export function unsupportedConfig(problem: string, cause?: unknown): ConfigError {
  return new ConfigError("config_unsupported", `${FILE}: ${problem}`, { cause });
}

export function tooLargeConfig(excess: string): ConfigError {
  return new ConfigError("config_too_large", `${FILE} ${excess}.`);
}

export const TOO_MANY_BYTES = `is larger than ${MAX_CONFIG_BYTES / 1024} KB`;

/**
 * Keeps scalars as written and aliases unexpanded.
 *
 * @throws ConfigError when it is too large, nested too deeply, not YAML, or not one mapping
 */
export function parseDocument(text: string): ConfigDocument {
  if (latest?.text !== text) latest = parseAnew(text);
  return latest;
}

/** The last parsed document: a bind reads a config, then edits the same one, and parsing is slow. */
let latest: ConfigDocument | null = null;

function parseAnew(text: string): ConfigDocument {
  if (text.length > MAX_CONFIG_BYTES) throw tooLargeConfig(TOO_MANY_BYTES);
  const comments: Comment[] = [];
  let end = text.length;
  let endsInBlockText = false;
  const notes = {
    comment: (comment: Comment) => comments.push(comment),
    end: (offset: number) => {
      end = Math.min(end, offset);
    },
    blockText: (value: string) => {
      endsInBlockText = !value.endsWith("\n");
    },
  };
  const composer = new Composer({
    schema: "failsafe",
    keepSourceTokens: true,
    uniqueKeys: false,
    resolveKnownTags: false,
    logLevel: "silent",
  });
  const [document, another] = composer.compose(tokens(text, notes), true, text.length);
  const error = document?.errors[0];
  if (error !== undefined) throw invalidConfig(at(text, error.pos[0], error.message));
  if (another !== undefined) throw unsupportedConfig("it holds more than one document.");
  const contents = document?.contents ?? null;
  if (contents === null || (isScalar(contents) && contents.range[0] === contents.range[1])) {
    return { text, root: null, comments, end, endsInBlockText };
  }
  if (!isMap(contents)) throw invalidConfig("the file must be a mapping of sections.");
  return { text, root: contents, comments, end, endsInBlockText };
}

interface Notes {
  readonly comment: (comment: Comment) => void;
  readonly end: (offset: number) => void;
  readonly blockText: (value: string) => void;
}

/** Stops at the depth limit, before the recursive part of the parser. */
function* tokens(text: string, notes: Notes): Generator<CST.Token, void> {
  const parser = new Parser();
  let scalarFollows = false;
  let parts = 0;
  for (const lexeme of new Lexer().lex(text)) {
    if (!scalarFollows && lexeme.startsWith("#")) notes.comment({ offset: parser.offset, text: lexeme });
    if (!scalarFollows && lexeme === "...") notes.end(parser.offset);
    if (scalarFollows && parser.stack.at(-1)?.type === "block-scalar") notes.blockText(lexeme);
    scalarFollows = lexeme === "\u001f";
    if (++parts > MAX_PARTS) throw tooLargeConfig(`has more than ${MAX_PARTS} parts`);
    if (lexeme.length > MAX_PART_LENGTH) throw tooLargeConfig("has a value longer than 32 KB");
    for (const token of parser.next(lexeme)) {
      if (token.type === "error") throw invalidConfig(at(text, token.offset, token.message));
      yield token;
    }
    if (parser.stack.length > MAX_DEPTH) {
      throw invalidConfig(at(text, parser.offset, `nested more than ${MAX_DEPTH} levels deep.`));
    }
  }
  yield* parser.end();
}

function at(text: string, offset: number, problem: string): string {
  return `line ${text.slice(0, offset).split("\n").length}: ${problem.slice(0, 200)}`;
}

export function keyOf(pair: Pair): string | null {
  return isScalar(pair.key) ? (pair.key.source ?? "") : null;
}

export function isNull(node: unknown): boolean {
  if (node === null || node === undefined) return true;
  if (!isScalar(node)) return false;
  if (node.tag !== undefined) return node.tag === "tag:yaml.org,2002:null";
  return node.type === "PLAIN" && /^(?:~|null|Null|NULL)?$/.test(node.source ?? "");
}

/** @throws ConfigError when the section appears twice, or is neither a mapping nor null */
export function sectionPair(root: YAMLMap | null, name: SectionName): Pair | null {
  const [pair, again] = (root?.items ?? []).filter((candidate) => keyOf(candidate) === name);
  if (pair === undefined) return null;
  if (again !== undefined) throw invalidConfig(`\`${name}\` appears more than once.`);
  if (isAlias(pair.value)) throw unsupportedConfig(`\`${name}\` is an alias.`);
  if (!isMap(pair.value) && !isNull(pair.value)) throw invalidConfig(`\`${name}\` must be a mapping.`);
  return pair;
}

/**
 * @param path names the mapping in errors
 * @throws ConfigError on a duplicate key, a merge key, or a key that is not a scalar
 */
export function pairsByKey(map: YAMLMap, path: string): Map<string, Pair> {
  const pairs = new Map<string, Pair>();
  for (const pair of map.items) {
    const key = keyOf(pair);
    if (key === null) throw unsupportedConfig(`\`${path}\` has a key that is not plain text.`);
    if (key === "<<" && isScalar(pair.key) && pair.key.type === "PLAIN")
      throw unsupportedConfig(`\`${path}\` uses a merge key.`);
    if (pairs.has(key)) throw invalidConfig(`\`${path}.${key}\` appears more than once.`);
    pairs.set(key, pair);
  }
  return pairs;
}

/**
 * The text as written; null when it is null or blank.
 *
 * @param path names the value in errors
 * @throws ConfigError when it is no scalar
 */
export function readText(node: unknown, path: string): string | null {
  if (isNull(node)) return null;
  if (isAlias(node)) throw unsupportedConfig(`\`${path}\` is an alias.`);
  if (!isScalar(node)) throw invalidConfig(`\`${path}\` must be text.`);
  if (
    node.tag !== undefined &&
    !/^(?:!|tag:yaml\.org,2002:(?:str|int|float|bool|timestamp))$/.test(node.tag)
  ) {
    throw unsupportedConfig(`\`${path}\` has the tag ${node.tag}.`);
  }
  const text = node.source ?? "";
  return text.trim() === "" ? null : text;
}

/**
 * Null for null. Entries that are null are left out.
 *
 * @param path names the value in errors
 * @throws ConfigError when it is no mapping of scalars
 */
export function readTexts(node: unknown, path: string): Record<string, string> | null {
  if (isNull(node)) return null;
  if (isAlias(node)) throw unsupportedConfig(`\`${path}\` is an alias.`);
  if (!isMap(node)) throw invalidConfig(`\`${path}\` must be a mapping.`);
  const texts: [string, string][] = [];
  for (const [key, pair] of pairsByKey(node, path)) {
    if (key === "__proto__") throw invalidConfig(`\`${path}\` has a key that is not allowed.`);
    const text = readText(pair.value, `${path}.${key}`);
    if (text !== null) texts.push([key, text]);
  }
  return Object.fromEntries(texts);
}

/** `ownership`, or its older spelling where the file has that. */
export function ownershipKey(pairs: ReadonlyMap<string, Pair>): "ownership" | "doctrine" {
  const isOlder = isNull(pairs.get("ownership")?.value) && pairs.has("doctrine");
  return isOlder ? "doctrine" : "ownership";
}

export interface Place {
  /** The first character of the key, its anchor and tag included. */
  readonly start: number;
  /** After the colon; null when there is none. */
  readonly colon: number | null;
  /** After the colon, the anchor and the tag of the value. */
  readonly head: number;
  /** The first character of the value; null for an empty one. */
  readonly value: number | null;
  /** After the value; `head` for an empty one. */
  readonly end: number;
}

export function placeOf(pair: Pair): Place {
  const token = pair.srcToken;
  const key = token?.key;
  if (token === undefined || key === null || key === undefined)
    throw unsupportedConfig("a key is not plain text.");
  const solid = token.sep?.filter((part) => !isSpace(part)) ?? [];
  const colon = solid.find((part) => part.type === "map-value-ind");
  const head = solid.at(-1);
  const { value } = token;
  const headEnd = head === undefined ? endOf(key) : head.offset + head.source.length;
  return {
    start: token.start.find((part) => !isSpace(part) && part.type !== "comma")?.offset ?? key.offset,
    colon: colon === undefined ? null : colon.offset + 1,
    head: headEnd,
    value: value?.offset ?? null,
    end: value === undefined ? headEnd : endOf(value),
  };
}

function isSpace(token: CST.SourceToken): boolean {
  return token.type === "space" || token.type === "newline" || token.type === "comment";
}

/** The offset after the last character of `token`, without the line end of a block scalar. */
function endOf(token: CST.Token): number {
  switch (token.type) {
    case "block-scalar": {
      const header = token.props.find((part) => part.type === "block-scalar-header");
      const text = token.source.replace(/[\r\n]+$/, "");
      const last = text === "" ? header : token.props.at(-1);
      return last === undefined || !("source" in last)
        ? token.offset
        : last.offset + last.source.length + text.length;
    }
    case "flow-collection":
      return (token.end[0]?.offset ?? token.start.offset) + 1;
    case "block-map":
    case "block-seq": {
      for (const item of token.items.toReversed()) {
        const { key, sep, value } = { key: undefined, sep: undefined, ...item };
        if (value !== undefined) return endOf(value);
        const solid = [...item.start, ...(key ? [key] : []), ...(sep ?? [])].findLast(
          (part) => !("source" in part) || !/^(?:space|newline|comment)$/.test(part.type),
        );
        if (solid !== undefined) return endOf(solid);
      }
      return token.offset;
    }
    default:
      return "source" in token ? token.offset + token.source.length : token.offset;
  }
}

export function commentsIn(document: ConfigDocument, from: number, to: number): readonly Comment[] {
  return document.comments.filter(({ offset }) => offset >= from && offset < to);
}
