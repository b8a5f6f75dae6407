import type { TrackerError } from "../../shared/errors.ts";
import { escapeText, toJson } from "../../shared/text.ts";
import { hintOf } from "../hints.ts";
import { renderCandidates } from "./candidates.ts";
import type { Style } from "./style.ts";

export function renderError(error: TrackerError, style: Style): string {
  const { red, dim } = style.colors;
  const parts = [`${red("Error:")} ${escapeText(error.message)}\n`];
  if (error.choices !== null) parts.push(renderCandidates(error.choices, style));
  const hint = hintOf(error);
  if (hint !== null) parts.push(`${escapeText(hint)}\n`);
  if (error.requestId !== null) parts.push(`${dim(`Request id: ${escapeText(error.requestId)}`)}\n`);
  return parts.join("");
}

export function renderErrorJson(error: TrackerError): string {
  const { code, message, retryable, requestId, details, choices } = error;
  return toJson({
    error: {
      code,
      message,
      hint: hintOf(error),
      retryable,
      request_id: requestId,
      details,
      ...(choices === null ? {} : { choices }),
    },
  });
}
