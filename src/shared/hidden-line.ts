import { InterruptedError } from "./errors.ts";

/** One key: an escape sequence (arrows, the marks around pasted text), or one character. */
const KEY = /\x1b\[[0-9;?]*[@-~]|\x1bO[@-~]|\x1b[ -~]|[\s\S]/gu;
const CONTROL = /^[\u0000-\u001f\u007f-\u009f]/;

interface HiddenLine {
  readonly text: string | null;
  readonly rest: string;
}

/**
 * Returns the line that the keys pressed so far form, where the terminal does not edit lines itself: Backspace
 * deletes the last character, Ctrl-U and Ctrl-W delete all.
 *
 * @returns null while the line is not finished
 * @throws InterruptedError on Ctrl-C
 */
export function readKeys(keys: string): HiddenLine | null {
  let typed: string[] = [];
  for (const { 0: key, index } of keys.matchAll(KEY)) {
    const rest = keys.slice(index + key.length);
    switch (key) {
      case "\r":
      case "\n":
        return { text: typed.join(""), rest: key === "\r" ? rest.replace(/^\n/, "") : rest };
      case "\x03":
        throw new InterruptedError();
      case "\x04":
        return { text: typed.length === 0 ? null : typed.join(""), rest };
      case "\b":
      case "\x7f":
        typed.pop();
        break;
      case "\x15":
      case "\x17":
        typed = [];
        break;
      default:
        if (!CONTROL.test(key)) typed.push(key);
    }
  }
  return null;
}
