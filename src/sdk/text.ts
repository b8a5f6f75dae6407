/** Texts of others between sentences of ours. */

/** A text with a full stop at its end, where it has no end of its own. */
export function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
