/** Telling what a provider did with a write from what it shows afterwards. */

import { CORE_FIELDS, type CoreField, canonicalJson, type IssueFields, type IssuePatch } from "../model.ts";
import { fieldsOf } from "../stores/store.ts";
import { copyField, sameField } from "./merge.ts";

/**
 * The base after a write, so that the merge of what the provider
 * shows now comes out right: `before` where it shows what it had (the write had
 * no effect and is still to be done), and what was sent where it shows a third
 * value (it took the write and wrote it its own way, or somebody changed it
 * since). Sets are judged element by element, so `before` serves them.
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
            const [was, asked, is] = [before, sent, after].map(({ customFields }) =>
              Object.entries(customFields).filter(([key]) => key === name),
            );
            return (canonicalJson(was) === canonicalJson(is) ? was : asked) ?? [];
          }),
        );
        break;
      default:
        copyField(field, sent, base);
    }
  }
  return base;
}

/**
 * The local values after a write, given the provider's result: of a body
 * that it wrote its own way the one that it keeps, unless ours was edited since.
 */
export function localAfterWrite(
  now: IssueFields,
  sent: IssueFields,
  { body }: Pick<IssuePatch, "body">,
): IssueFields {
  return body === undefined || now.body !== sent.body ? now : { ...now, body };
}
