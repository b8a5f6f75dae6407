/** Likeness of a repository's name to a resource's name and key, from 0 to 1. Pure. */

/** Spellings of one word; the first one is compared. */
const SPELLINGS: readonly (readonly string[])[] = [
  ["accounting", "acct"],
  ["administration", "admin"],
  ["application", "app", "apps", "applications"],
  ["authentication", "auth", "authn", "authorization", "authz"],
  ["backend", "be"],
  ["configuration", "config", "conf", "cfg"],
  ["cpp", "cxx", "cplusplus"],
  ["csharp", "cs"],
  ["database", "db", "databases"],
  ["development", "dev"],
  ["documentation", "doc", "docs"],
  ["dotnet", "net"],
  ["frontend", "fe"],
  ["generation", "gen", "generator"],
  ["golang", "go"],
  ["infrastructure", "infra"],
  ["internationalization", "i18n"],
  ["javascript", "js"],
  ["kubernetes", "k8s", "kube"],
  ["library", "lib", "libs", "libraries"],
  ["machinelearning", "ml"],
  ["management", "mgmt", "manager", "mgr"],
  ["message", "msg", "messaging", "messages"],
  ["notification", "notif", "notifications"],
  ["operations", "ops"],
  ["payment", "pay", "payments", "pmt"],
  ["performance", "perf"],
  ["platform", "plat"],
  ["postgresql", "postgres", "pg"],
  ["production", "prod"],
  ["python", "py"],
  ["repository", "repo", "repositories"],
  ["service", "svc", "srv", "services"],
  ["specification", "spec", "specs", "specifications"],
  ["transaction", "txn", "tx", "transactions"],
  ["typescript", "ts"],
  ["utility", "util", "utils", "utilities"],
  ["webservices", "ws"],
  ["website", "site", "www"],
];

const SPELLED: ReadonlyMap<string, string> = new Map(
  SPELLINGS.flatMap(([first = "", ...others]) => [first, ...others].map((word) => [word, first] as const)),
);

/** Words without a subject of their own; they weigh little on either side. */
const FILLERS: ReadonlySet<string> = new Set(["project", "repository", "the", "for", "of", "and", "main"]);
const FILLER_WEIGHT = 0.15;

/** Likeness of a word to its own beginning; of two letters only. */
const PREFIX_LIKENESS = 0.75;
const SHORT_BEGINNING = 0.4;
/** Weight of a name's first word, which is often the name of a family: `commons-io`, `mongo-python-driver`. */
const FAMILY_WEIGHT = 0.7;
/** Share of a key's likeness that counts when the name has none. */
const KEY_ONLY_SHARE = 0.9;
/** Likeness of a name whose key consists of the beginnings of the repository's words. */
const SPELLED_KEY_LIKENESS = 0.9;
/** Likeness of a name whose key is one of the repository's words. */
const KEY_WORD_LIKENESS = 0.8;

export interface Words {
  readonly words: readonly string[];
  /** In order, without normalization. */
  readonly written: readonly string[];
  readonly joined: string;
}

export function wordsOf(matchKey: string): Words {
  const written = matchKey.split("-").filter((word) => word !== "");
  return { words: written.map(canonicalWord), written, joined: written.join("") };
}

function canonicalWord(word: string): string {
  const one = word.length > 4 && word.endsWith("s") && !word.endsWith("ss") ? word.slice(0, -1) : word;
  return SPELLED.get(word) ?? SPELLED.get(one) ?? one;
}

export interface ComparedResource {
  readonly name: Words;
  /** The provider's short key without separators, in lower case; empty when it has none. */
  readonly key: string;
}

/** Weighs words by their rarity in the compared names. */
export class Rarity {
  readonly #names: number;
  readonly #having = new Map<string, number>();
  readonly #keys: ReadonlySet<string>;

  constructor(names: readonly ComparedResource[]) {
    this.#names = names.length;
    this.#keys = new Set(names.map(({ key }) => key));
    for (const { name } of names) {
      for (const word of new Set(name.words)) this.#having.set(word, (this.#having.get(word) ?? 0) + 1);
    }
  }

  weight(word: string): number {
    const weight = Math.log(1 + (this.#names + 1) / (this.#having.get(word) ?? 1));
    return FILLERS.has(word) ? weight * FILLER_WEIGHT : weight;
  }

  /** Reports whether the word is in a name or a key, or begins or continues a word of a name. */
  knows(word: string): boolean {
    if (this.#having.has(word) || this.#keys.has(word)) return true;
    return this.#having.keys().some((known) => beginning(known, word) > 0 || beginning(word, known) > 0);
  }
}

export function likenessOf(target: Words, resource: ComparedResource, rarity: Rarity): number {
  const { name, key } = resource;
  if (name.joined === target.joined) return 1;
  // A word that fits no resource distinguishes none.
  const distinguishing = target.words.filter((word) => rarity.knows(word) || bestMatch(word, name) > 0);
  const found = coverage(distinguishing.length === 0 ? target.words : distinguishing, name, (word) =>
    word === target.words[0] && target.words.length > 1
      ? rarity.weight(word) * FAMILY_WEIGHT
      : rarity.weight(word),
  );
  const explained = coverage(name.words, target, (word) => rarity.weight(word));
  const byName = found === 0 ? 0 : 0.55 * found + 0.35 * explained + 0.1 * Math.min(found, explained);
  const byKey = likenessOfKey(target, key);
  return Math.max(byName, KEY_ONLY_SHARE * byKey, (byName + byKey) / 2);
}

function coverage(words: readonly string[], other: Words, weightOf: (word: string) => number): number {
  let covered = 0;
  let all = 0;
  for (const word of words) {
    const weight = weightOf(word);
    all += weight;
    covered += weight * bestMatch(word, other);
  }
  return all === 0 ? 0 : covered / all;
}

function bestMatch(word: string, { words, joined }: Words): number {
  let best = 0;
  for (const other of words) {
    if (word === other) return 1;
    best = Math.max(best, beginning(word, other), beginning(other, word));
  }
  // `httpcomponents` and `HttpCore`, `qtbase` and `Qt`: several words written as one.
  return best === 0 && word.length >= 4 && joined.includes(word) ? PREFIX_LIKENESS : best;
}

function beginning(short: string, long: string): number {
  if (short.length < 2 || short.length >= long.length || !long.startsWith(short)) return 0;
  return short.length === 2 ? SHORT_BEGINNING : PREFIX_LIKENESS;
}

function likenessOfKey({ written, joined }: Words, key: string): number {
  if (key.length < 2) return 0;
  if (key === joined) return 1;
  if (key.length >= 3 && isAbbreviation(key, written)) return SPELLED_KEY_LIKENESS;
  const at = written.lastIndexOf(key);
  return at === -1
    ? 0
    : at === 0 && written.length > 1
      ? KEY_WORD_LIKENESS * FAMILY_WEIGHT
      : KEY_WORD_LIKENESS;
}

/** Reports whether the key consists of the beginnings of the words, in order; the first word may be omitted. */
function isAbbreviation(key: string, words: readonly string[]): boolean {
  if (words.length < 2) return false;
  return isMadeOf(key, words) || (words.length > 2 && isMadeOf(key, words.slice(1)));
}

function isMadeOf(key: string, words: readonly string[]): boolean {
  const [word, ...rest] = words;
  if (word === undefined) return key === "";
  for (let length = Math.min(word.length, key.length); length > 0; length--) {
    if (word.startsWith(key.slice(0, length)) && isMadeOf(key.slice(length), rest)) return true;
  }
  return false;
}
