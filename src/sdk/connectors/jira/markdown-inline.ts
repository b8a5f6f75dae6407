/**
 * Reads Markdown within a line: CommonMark (https://spec.commonmark.org/0.31.2/#inlines), GitHub's
 * strikethrough and bare addresses, and HTML tags for what Markdown has no signs for. A line end is a line
 * break, as in trackers' own editors.
 */
import { BREAK, type Link, linkTo, normalized, type Run, type TextStyle } from "./adf-runs.ts";

export const ADDRESS = /https?:\/\/[^\s<>"'`*|\\^{}[\]()~]*[\w/=&#%+-]/y;

const PUNCTUATION = /[!-/:-@[-`{-~]/;
const TAG = /<(\/?)(u|sub|sup|strong|b|em|i|s|del|br) *\/?>/iy;
const AUTOLINK = /<([a-z][a-z0-9+.-]{1,31}:[^\s<>]*)>/iy;
const ENTITY = /&(?:(amp|lt|gt|quot|apos|nbsp)|#(\d{1,7})|#x([0-9a-f]{1,6}));/iy;
const DESTINATION = /\(\s*(?:<((?:\\.|[^<>\\\n])*)>|((?:\\.|[^\s()<>\\])+))(?:\s+"((?:\\.|[^"\\])*)")?\s*\)/y;

const TAG_STYLES: ReadonlyMap<string, TextStyle> = new Map([
  ["u", "underline"],
  ["sub", "sub"],
  ["sup", "sup"],
  ["strong", "strong"],
  ["b", "strong"],
  ["em", "em"],
  ["i", "em"],
  ["s", "strike"],
  ["del", "strike"],
]);
const ENTITIES: ReadonlyMap<string, string> = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
  ["nbsp", "\u00a0"],
]);

/** A piece of a line while it is read; a sign without a partner becomes text. */
interface Piece {
  text: string;
  styles: Set<TextStyle>;
  link: Link | null;
  readonly opens?: TextStyle | "[" | "![";
  readonly sign?: {
    readonly char: string;
    count: number;
    readonly canOpen: boolean;
    readonly canClose: boolean;
  };
}

export function parseInline(source: string): readonly Run[] {
  const reader = new Reader(source);
  return normalized(reader.read());
}

function unescaped(text: string): string {
  return text.replace(/\\([!-/:-@[-`{-~])/g, "$1");
}

class Reader {
  readonly #source: string;
  #at = 0;
  #pieces: Piece[] = [];
  #open: Piece[] = [];

  constructor(source: string) {
    this.#source = source;
  }

  read(): readonly Run[] {
    while (this.#at < this.#source.length) this.#at += this.#step();
    this.#pair(0);
    return this.#pieces.map(({ text, styles, link }) => ({ text, styles, link }));
  }

  /** Reads the piece at the position; returns its length. */
  #step(): number {
    const char = this.#source.charAt(this.#at);
    const next = this.#source.charAt(this.#at + 1);
    switch (char) {
      case "\\":
        if (next === "\n") return 1;
        if (PUNCTUATION.test(next)) return this.#text(next, 2);
        return this.#text(char, 1);
      case "`":
        return this.#code();
      case "\n":
        return this.#break(1);
      case "<":
        return this.#angle();
      case "&":
        return this.#entity();
      case "!":
        if (next === "[") return this.#push({ text: "![", opens: "![" }, 2);
        return this.#text(char, 1);
      case "[":
        return this.#push({ text: "[", opens: "[" }, 1);
      case "]":
        return this.#bracket();
      case "*":
      case "_":
      case "~":
        return this.#sign(char);
      case "h":
        return this.#address();
      default:
        return this.#text(char, 1);
    }
  }

  #text(text: string, length: number): number {
    const last = this.#pieces.at(-1);
    if (last !== undefined && last.text !== "\n" && isText(last)) {
      last.text += text;
      return length;
    }
    return this.#push({ text }, length);
  }

  #push(piece: Partial<Piece>, length: number): number {
    const added: Piece = { text: "", styles: new Set(), link: null, ...piece };
    this.#pieces.push(added);
    if (added.opens !== undefined) this.#open.push(added);
    return length;
  }

  #break(length: number): number {
    return this.#push({ text: BREAK.text }, length);
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    return pattern.exec(this.#source);
  }

  #code(): number {
    const fence = this.#match(/`+/y)?.[0] ?? "`";
    for (const end of this.#source.slice(this.#at + fence.length).matchAll(/`+/g)) {
      if (end[0].length !== fence.length) continue;
      const start = this.#at + fence.length;
      const inner = this.#source.slice(start, start + end.index).replaceAll("\n", " ");
      const isPadded = /^ .* $/.test(inner) && inner.trim() !== "";
      const text = isPadded ? inner.slice(1, -1) : inner;
      return this.#push({ text, styles: new Set(["code"]) }, end.index + 2 * fence.length);
    }
    return this.#text(fence, fence.length);
  }

  #angle(): number {
    const href = this.#match(AUTOLINK)?.[1];
    if (href !== undefined) {
      return this.#push({ text: href, link: { href, title: null, kind: "link" } }, href.length + 2);
    }
    const [tag, slash, name = ""] = this.#match(TAG) ?? [];
    if (tag === undefined) return this.#text("<", 1);
    const style = TAG_STYLES.get(name.toLowerCase());
    if (style === undefined) return this.#break(tag.length);
    if (slash === "") return this.#push({ text: tag, opens: style }, tag.length);
    const opener = this.#open.findLast(({ opens }) => opens === style);
    if (opener === undefined) return this.#text(tag, tag.length);
    for (const piece of this.#close(opener)) piece.styles.add(style);
    opener.text = "";
    return tag.length;
  }

  #entity(): number {
    const [entity, name, decimal, hex] = this.#match(ENTITY) ?? [];
    if (entity === undefined) return this.#text("&", 1);
    const code = decimal === undefined ? Number.parseInt(hex ?? "", 16) : Number(decimal);
    const isCharacter = code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
    const text =
      name === undefined
        ? String.fromCodePoint(isCharacter ? code : 0xfffd)
        : ENTITIES.get(name.toLowerCase());
    return this.#text(text ?? entity, entity.length);
  }

  #bracket(): number {
    const opener = this.#open.findLast(({ opens }) => opens === "[" || opens === "![");
    this.#at += 1;
    const [whole, angled, bare, title] = this.#match(DESTINATION) ?? [];
    this.#at -= 1;
    if (opener === undefined || whole === undefined) {
      if (opener !== undefined) this.#open = this.#open.filter((open) => open !== opener);
      return this.#text("]", 1);
    }
    const href = unescaped(angled ?? bare ?? "");
    const kind = opener.opens === "![" ? "image" : "link";
    const link = linkTo(href, title === undefined ? null : unescaped(title), kind);
    this.#pair(this.#pieces.indexOf(opener) + 1);
    const inner = this.#close(opener);
    opener.text = "";
    for (const piece of inner) {
      piece.link ??= link;
      if (kind === "image") piece.styles.clear();
    }
    if (inner.every(({ text }) => text === "")) this.#push({ text: href, link }, 0);
    // A link contains no other link.
    if (kind === "link") this.#open = this.#open.filter(({ opens }) => opens !== "[");
    return whole.length + 1;
  }

  #close(opener: Piece): readonly Piece[] {
    this.#open = this.#open.slice(0, this.#open.indexOf(opener));
    return this.#pieces.slice(this.#pieces.indexOf(opener) + 1);
  }

  #sign(char: string): number {
    let count = 1;
    while (this.#source.charAt(this.#at + count) === char) count++;
    if (char === "~" && count !== 2) return this.#text(char.repeat(count), count);
    const before = kindOf(/.$/su.exec(this.#source.slice(Math.max(0, this.#at - 2), this.#at))?.[0]);
    const after = kindOf(/^./su.exec(this.#source.slice(this.#at + count, this.#at + count + 2))?.[0]);
    const leans = after !== "space" && (after === "word" || before !== "word");
    const trails = before !== "space" && (before === "word" || after !== "word");
    const isUnderscore = char === "_";
    const canOpen = leans && (!isUnderscore || !trails || before === "punctuation");
    const canClose = trails && (!isUnderscore || !leans || after === "punctuation");
    return this.#push({ text: char.repeat(count), sign: { char, count, canOpen, canClose } }, count);
  }

  /** Pairs the signs from `start` on: https://spec.commonmark.org/0.31.2/#phase-2-inline-structure */
  #pair(start: number): void {
    for (let index = start; index < this.#pieces.length; index++) {
      const closer = this.#pieces[index]?.sign;
      while (closer?.canClose && closer.count > 0) {
        const found = this.#pieces
          .slice(start, index)
          .findLastIndex(({ sign }) => sign !== undefined && pairs(sign, closer));
        const opener = this.#pieces[start + found]?.sign;
        if (found === -1 || opener === undefined) break;
        const length = Math.min(opener.count, closer.count, 2);
        const style = closer.char === "~" ? "strike" : length === 2 ? "strong" : "em";
        for (const piece of this.#pieces.slice(start + found + 1, index)) {
          piece.styles.add(style);
          if (piece.sign !== undefined) piece.sign.count = 0;
        }
        opener.count -= length;
        closer.count -= length;
        shorten(this.#pieces[start + found], length);
        shorten(this.#pieces[index], length);
      }
    }
    // Unpaired signs are plain characters.
    for (const { sign } of this.#pieces.slice(start)) if (sign !== undefined) sign.count = 0;
  }

  #address(): number {
    const isInWord = /\w/.test(this.#source.charAt(this.#at - 1));
    const href = isInWord ? undefined : this.#match(ADDRESS)?.[0];
    if (href === undefined) return this.#text("h", 1);
    return this.#push({ text: href, link: { href, title: null, kind: "link" } }, href.length);
  }
}

function isText({ styles, link, opens, sign }: Piece): boolean {
  return styles.size === 0 && link === null && opens === undefined && sign === undefined;
}

function shorten(piece: Piece | undefined, length: number): void {
  if (piece !== undefined) piece.text = piece.text.slice(length);
}

function kindOf(char: string | undefined): "space" | "punctuation" | "word" {
  if (char === undefined || /\s/.test(char)) return "space";
  return /[\p{P}\p{S}]/u.test(char) ? "punctuation" : "word";
}

type Sign = NonNullable<Piece["sign"]>;

function pairs(opener: Sign, closer: Sign): boolean {
  if (opener.char !== closer.char || !opener.canOpen || opener.count === 0) return false;
  const isAmbiguous = opener.canClose || closer.canOpen;
  const sum = opener.count + closer.count;
  return !isAmbiguous || sum % 3 !== 0 || (opener.count % 3 === 0 && closer.count % 3 === 0);
}
