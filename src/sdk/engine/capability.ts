/** What a provider cannot carry, found out before it is asked. */
import type { Capabilities } from "../capabilities.ts";
import { CapabilityNotSupportedError } from "../errors.ts";
import type { CoreField, IssueFields } from "../model.ts";

/** Why the provider cannot be given the value that `fields` have in `field`; null when it can. */
export function refusal(
  provider: string,
  capabilities: Capabilities,
  field: CoreField,
  fields: IssueFields,
): CapabilityNotSupportedError | null {
  const lacks = (capability: keyof Capabilities, what: string) =>
    capabilities[capability]
      ? null
      : new CapabilityNotSupportedError(provider, capability, `${provider} does not carry ${what}.`);
  switch (field) {
    case "status":
      return fields.status === "done" || fields.status === "canceled"
        ? lacks("terminalTransition", `the status ${fields.status} when it is set from outside`)
        : null;
    case "assignees":
      return (
        lacks("assignment", "assignees that are set from outside") ??
        (fields.assignees.length > 1 ? lacks("multiAssignee", "more than one assignee") : null)
      );
    case "parent":
      return lacks("hierarchy", "parents");
    case "links":
      return (
        lacks("dependencies", "links between issues") ??
        (fields.links.some(({ type }) => type === "parent_of" || type === "child_of")
          ? lacks("hierarchy", "links between parents and children")
          : null)
      );
    case "customFields":
      return lacks("customFields", "custom fields");
    default:
      return null;
  }
}
