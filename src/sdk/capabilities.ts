import { providerName } from "../shared/providers.ts";
import { CapabilityNotSupportedError } from "./errors.ts";
import {
  type CanonicalStatus,
  CORE_FIELDS,
  type CoreField,
  type IssuePatch,
  type LinkType,
} from "./model.ts";

/** A connector's abilities. A value that needs another one is refused before the first request. */
export interface Capabilities {
  readonly comments: boolean;
  readonly hierarchy: boolean;
  /** Links between issues, of the types in `linkTypes`. */
  readonly dependencies: boolean;
  readonly customFields: boolean;
  readonly multiAssignee: boolean;
  readonly assignment: boolean;
  /** Issues can be moved to `done` and `canceled`, as far as `statuses` lists them. */
  readonly terminalTransition: boolean;
  readonly bulkRead: boolean;
  readonly delete: boolean;
  readonly webhooks: boolean;
  /** A write can be refused when the issue has changed since a revision. */
  readonly conditionalWrites: boolean;
  /** Reads are never outdated: a change time that goes back, or lies ahead of this clock, is another clock's. */
  readonly currentReads: boolean;
  readonly priority: boolean;
  readonly issueType: boolean;
  /** The statuses that an issue can be moved to; a resource may lack some of them. */
  readonly statuses: readonly CanonicalStatus[];
  readonly linkTypes: readonly LinkType[];
  /** The members that custom fields can have; absent where any are possible. */
  readonly customFieldNames?: readonly string[];
}

/** No capability; a connector overrides those that it has. */
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

export type CapabilityFlag = Exclude<keyof Capabilities, "statuses" | "linkTypes" | "customFieldNames">;

/** The error for a field whose value is not supported; null when it is. */
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

/** @throws CapabilityNotSupportedError for the first unsupported field of `patch` */
export function assertSupported(provider: string, capabilities: Capabilities, patch: IssuePatch): void {
  for (const field of CORE_FIELDS) {
    if (patch[field] === undefined) continue;
    const error = unsupportedError(provider, capabilities, field, patch);
    if (error !== null) throw error;
  }
}
