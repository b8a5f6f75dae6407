/** Derives the base and the local values after a write from the provider's answer. */

import { CORE_FIELDS, type CoreField, canonicalJson, type IssueFields, type IssuePatch } from "../model.ts";
import { fieldsOf } from "../stores/store.ts";
import { copyField, sameField } from "./merge.ts";

/**
 * The base after a write, chosen so that the merge with the provider's values is right: `before` where it
 * shows the old value (the write had no effect and is still to be done), and the sent value where it shows a
 * third one (it rewrote the value, or another user changed it since). Sets are compared element by element,
 * so `before` serves them.
 */
export function baseAfterWrite(
  before: IssueFields,
  sent: IssueFields,
  after: IssueFields,
  written: ReadonlySet<CoreField>,
): IssueFields {
  const base = fieldsOf(before);
  for (const field of CORE_FIELDS) {
    if (!written.has(field) || sameField(field, after, before)) continue;
    switch (field) {
      case "labels":
      case "links":
      case "assignees":
        break;
      case "customFields":
        base.customFields = Object.fromEntries(
          [
            ...new Set([before, sent, after].flatMap(({ customFields }) => Object.keys(customFields))),
          ].flatMap((name) => {
            const [old, sentFields, current] = [before, sent, after].map(({ customFields }) =>
              Object.entries(customFields).filter(([key]) => key === name),
            );
            return (canonicalJson(old) === canonicalJson(current) ? old : sentFields) ?? [];
          }),
        );
        break;
      default:
        copyField(field, sent, base);
    }
  }
  return base;
}

/** A body that the provider rewrote replaces the local one unless that was edited since. */
export function localAfterWrite(
  now: IssueFields,
  sent: IssueFields,
  { body }: Pick<IssuePatch, "body">,
): IssueFields {
  return body === undefined || now.body !== sent.body ? now : { ...now, body };
}
