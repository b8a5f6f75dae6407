/** The abilities of a connector, and the refusals that follow from them. */
import { providerName } from "../shared/providers.ts";
import { CapabilityNotSupportedError } from "./errors.ts";
import {
  type CanonicalStatus,
  CORE_FIELDS,
  type CoreField,
  type IssuePatch,
  type LinkType,
} from "./model.ts";

/** The abilities of a connector. Anything else is refused before the first request. */
export interface Capabilities {
  readonly comments: boolean;
  /** Parents and children. */
  readonly hierarchy: boolean;
  /** Links between issues, of the types in `linkTypes`. */
  readonly dependencies: boolean;
  readonly customFields: boolean;
  readonly multiAssignee: boolean;
  /** Assignees can be set at all. */
  readonly assignment: boolean;
  /** Issues can be closed and canceled, as far as `statuses` goes. */
  readonly terminalTransition: boolean;
  /** Many issues per request. */
  readonly bulkRead: boolean;
  readonly delete: boolean;
  readonly webhooks: boolean;
  /** A write can be refused when the issue has changed since a revision. */
  readonly conditionalWrites: boolean;
  /**
   * Every read gives the issue as it is at that moment, so a time of change that
   * goes back, or lies ahead of our clock, is another clock's and no sign of an old page.
   */
  readonly currentReads: boolean;
  /** Priorities can be set. */
  readonly priority: boolean;
  /** The type of an issue can be set. */
  readonly issueType: boolean;
  /** The statuses that an issue can move to; a resource may have no place for some of them. */
  readonly statuses: readonly CanonicalStatus[];
  readonly linkTypes: readonly LinkType[];
  /** Members that custom fields can have; missing where they can have any. */
  readonly customFieldNames?: readonly string[];
}

/** Nothing: a connector's capabilities name what it has beside. */
export const NO_CAPABILITIES: Capabilities = {
  comments: false,
  hierarchy: false,
  dependencies: false,
  customFields: false,
  multiAssignee: false,
  assignment: false,
  terminalTransition: false,
  bulkRead: false,
  delete: false,
  webhooks: false,
  conditionalWrites: false,
  currentReads: false,
  priority: false,
  issueType: false,
  statuses: [],
  linkTypes: [],
};

/** A capability that is there or not. */
export type CapabilityFlag = Exclude<keyof Capabilities, "statuses" | "linkTypes" | "customFieldNames">;

/** The reason for which `field` cannot carry its value in `fields`; null when it can. */
export function unsupportedError(
  provider: string,
  capabilities: Capabilities,
  field: CoreField,
  fields: IssuePatch,
): CapabilityNotSupportedError | null {
  const unsupportedBy = (capability: keyof Capabilities, what: string) =>
    new CapabilityNotSupportedError(
      provider,
      capability,
      `${providerName(provider)} does not support ${what}.`,
    );
  const ifMissing = (capability: CapabilityFlag, what: string) =>
    capabilities[capability] ? null : unsupportedBy(capability, what);
  const { status, assignees = [], links = [] } = fields;
  switch (field) {
    case "status":
      if (status === undefined) return null;
      return (
        (status === "done" || status === "canceled"
          ? ifMissing("terminalTransition", `setting the status ${status}`)
          : null) ??
        (capabilities.statuses.includes(status)
          ? null
          : unsupportedBy("statuses", `the status ${status}, only ${capabilities.statuses.join(", ")}`))
      );
    case "assignees":
      return (
        ifMissing("assignment", "setting assignees") ??
        (assignees.length > 1 ? ifMissing("multiAssignee", "more than one assignee") : null)
      );
    case "parent":
      return ifMissing("hierarchy", "parents");
    case "links": {
      const unsupported = links.find(({ type }) => !capabilities.linkTypes.includes(type));
      return (
        ifMissing("dependencies", "links between issues") ??
        (links.some(({ type }) => type === "parent_of" || type === "child_of")
          ? ifMissing("hierarchy", "links between parents and children")
          : null) ??
        (unsupported === undefined
          ? null
          : unsupportedBy("linkTypes", `links of the type ${unsupported.type}`))
      );
    }
    case "customFields": {
      const { customFieldNames: names } = capabilities;
      const unsupported = Object.keys(fields.customFields ?? {}).find(
        (name) => names?.includes(name) === false,
      );
      return (
        ifMissing("customFields", "custom fields") ??
        (unsupported === undefined
          ? null
          : unsupportedBy("customFieldNames", `the custom field ${unsupported}, only ${names?.join(", ")}`))
      );
    }
    case "priority":
      return ifMissing("priority", "setting priorities");
    case "issueType":
      return ifMissing("issueType", "setting issue types");
    default:
      return null;
  }
}

/** @throws CapabilityNotSupportedError for the first field of `patch` that cannot be carried */
export function assertSupported(provider: string, capabilities: Capabilities, patch: IssuePatch): void {
  for (const field of CORE_FIELDS) {
    if (patch[field] === undefined) continue;
    const error = unsupportedError(provider, capabilities, field, patch);
    if (error !== null) throw error;
  }
}
