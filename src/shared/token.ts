/**
 * The reason why a text cannot be a token, as the end of a sentence; null when it can. Surrounding spaces and a byte
 * order mark are ignored. Never quotes the text: it may be a secret.
 */
export function tokenProblem(text: string): string | null {
  const token = text.trim();
  if (token === "") return "is empty";
  if (/^(["'`]).*\1$/.test(token)) return "has quotes around it: leave them out";
  if (/^(?:bearer|token|basic|authorization:)\s/i.test(token)) return "is a header: use the token alone";
  if (/[\r\n]/.test(token)) return "has more than one line";
  if (/\s/.test(token)) return "has spaces";
  if (!/^[!-~]+$/.test(token)) return "has characters that no token has";
  return null;
}
