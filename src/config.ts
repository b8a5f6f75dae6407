import { isMap, isScalar, type Pair } from "yaml";
import {
  type ConfigDocument,
  invalidConfig,
  isNull,
  MAX_CONFIG_BYTES,
  ownershipKey,
  pairsByKey,
  parseDocument,
  readText,
  readTexts,
  type SectionName,
  sectionPair,
  TOO_MANY_BYTES,
  tooLargeConfig,
} from "./config/document.ts";
import { type ConfigEdit, editDocument, type SectionEdit } from "./config/splice.ts";
import { readRegularFile, replaceFile } from "./shared/atomic-file.ts";
import { ConfigError } from "./shared/errors.ts";
import { isHosted, isLocal } from "./shared/providers.ts";

export { type ConfigEdit, type ConfigValue, type SectionEdit, spliceConfig } from "./config/splice.ts";

export interface OwnershipRequest {
  /** Null when the person did not choose. */
  readonly mode: string | null;
  readonly fieldOwners: Readonly<Record<string, string>>;
  /** Null when the person did not choose. */
  readonly conflictStrategy: string | null;
}

interface OwnershipSetting extends OwnershipRequest {
  readonly mode: string;
}

export interface Binding {
  readonly provider: string;
  /** Null for an on-device binding, and in configs older than references. */
  readonly bindingRef: string | null;
  readonly projectSlug: string | null;
  readonly displayLabel: string | null;
  readonly providerContext: Record<string, string> | null;
  /** Null for a hosted binding. */
  readonly workspace: string | null;
}

/** The `tracker:` section of `.kittify/config.yaml`. What is missing or blank is null. */
export interface TrackerSection extends Omit<Binding, "provider"> {
  readonly provider: string | null;
  /** `external_authoritative` without exceptions unless the file says otherwise. */
  readonly ownership: OwnershipSetting;
  /** The file has `doctrine`, the older spelling of `ownership`. */
  readonly hasDoctrine: boolean;
  /** Consent to send and fetch issue data; permitted unless the file says otherwise. */
  readonly egress: Egress;
}

/** `invalid` is neither of the two that a file may say. */
export type Egress = "permitted" | "refused" | "invalid";

/** The `project:` section of `.kittify/config.yaml`, as far as it is recorded. */
export interface RecordedIdentity {
  readonly uuid: string | null;
  readonly slug: string | null;
  readonly nodeId: string | null;
  readonly repoSlug: string | null;
}

/** The part of `.kittify/config.yaml` that this program reads. Other tools share the file. */
export interface ProjectConfig {
  readonly tracker: TrackerSection;
  readonly project: RecordedIdentity;
}

/**
 * Keeps numbers, dates and the like as the text that the user wrote.
 *
 * @throws ConfigError when it is not YAML or not of the expected layout
 */
export function parseProjectConfig(text: string): ProjectConfig {
  return readDocument(parseDocument(text));
}

/**
 * A missing file is an empty config.
 *
 * @throws ConfigError when it cannot be read or understood
 */
export function readProjectConfig(path: string): ProjectConfig {
  return parseProjectConfig(decode(readRegularFile(path, MAX_CONFIG_BYTES)) ?? "");
}

/**
 * Edits the file under a lock and as a whole: readers see the old or the new file.
 *
 * @param lockPath a file that all writers of this config agree on
 * @param plan pure; called again with the fresh config when another program changed the file meanwhile
 * @throws ConfigError when the file cannot be read, understood, edited or written; it is then unchanged
 */
export function editProjectConfig(
  path: string,
  lockPath: string,
  plan: (config: ProjectConfig) => ConfigEdit,
): { before: string | null; after: string; changed: boolean } {
  const transform = (current: Uint8Array | null): Uint8Array | null => {
    const document = parseDocument(decode(current) ?? "");
    const after = editDocument(document, plan(readDocument(document)));
    if (after === document.text) return null;
    const bytes = new TextEncoder().encode(after);
    if (bytes.length > MAX_CONFIG_BYTES) throw tooLargeConfig(TOO_MANY_BYTES);
    return bytes;
  };
  const { before, after, changed } = replaceFile(path, lockPath, transform, { maxBytes: MAX_CONFIG_BYTES });
  return { before: decode(before), after: decode(after) ?? "", changed };
}

/**
 * Another bind to the same provider keeps values that the new binding lacks; another provider, and an on-device
 * one, drops them.
 */
export function bindingEdit(current: TrackerSection, binding: Binding): SectionEdit {
  const known: SectionEdit = {
    provider: binding.provider,
    ...(binding.bindingRef !== null && { binding_ref: binding.bindingRef }),
    ...(binding.projectSlug !== null && { project_slug: binding.projectSlug }),
    ...(binding.displayLabel !== null && { display_label: binding.displayLabel }),
    ...(binding.providerContext !== null && { provider_context: binding.providerContext }),
    ...(binding.workspace !== null && { workspace: binding.workspace }),
  };
  const keeps = current.provider === binding.provider && binding.workspace === null;
  return keeps ? known : { ...unbindEdit(), ...known };
}

/** Ownership and unknown keys stay. */
export function unbindEdit(): SectionEdit {
  return {
    provider: undefined,
    binding_ref: undefined,
    project_slug: undefined,
    display_label: undefined,
    provider_context: undefined,
    workspace: undefined,
  };
}

/** Null when the binding is incomplete or missing. */
export function bindingOf({ tracker }: ProjectConfig): Binding | null {
  const { ownership: _, egress: __, provider, ...facts } = tracker;
  if (provider === null) return null;
  const isRouted = facts.bindingRef !== null || facts.projectSlug !== null;
  if (isHosted(provider)) return isRouted ? { provider, ...facts, workspace: null } : null;
  return isLocal(provider) && facts.workspace !== null
    ? { ...NO_BINDING, provider, workspace: facts.workspace }
    : null;
}

const NO_BINDING = {
  bindingRef: null,
  projectSlug: null,
  displayLabel: null,
  providerContext: null,
  workspace: null,
};

function decode(bytes: Uint8Array | null): string | null {
  if (bytes === null) return null;
  if (bytes.length > MAX_CONFIG_BYTES) throw tooLargeConfig(TOO_MANY_BYTES);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new ConfigError("config_invalid", ".kittify/config.yaml is not UTF-8 text.", {
      cause: error,
    });
  }
}

type Pairs = ReadonlyMap<string, Pair>;

function readDocument(document: ConfigDocument): ProjectConfig {
  const [project, tracker] = [sectionPairs(document, "project"), sectionPairs(document, "tracker")];
  return { project: readIdentity(project), tracker: readTracker(tracker) };
}

function sectionPairs(document: ConfigDocument, name: SectionName): Pairs {
  const value = sectionPair(document.root, name)?.value;
  return isMap(value) ? pairsByKey(value, name) : new Map();
}

function readIdentity(pairs: Pairs): RecordedIdentity {
  const text = (key: string): string | null => readText(pairs.get(key)?.value, `project.${key}`);
  const uuid = text("uuid");
  if (uuid !== null && !UUID.test(uuid)) {
    throw invalidConfig(`\`project.uuid\` must be a UUID, not "${uuid.slice(0, 40)}".`);
  }
  return { uuid, slug: text("slug"), nodeId: text("node_id"), repoSlug: text("repo_slug") };
}

function readTracker(pairs: Pairs): TrackerSection {
  const text = (key: string): string | null => readText(pairs.get(key)?.value, `tracker.${key}`);
  return {
    provider: text("provider"),
    bindingRef: checkedRef(text("binding_ref")),
    projectSlug: text("project_slug"),
    displayLabel: text("display_label"),
    providerContext: readTexts(pairs.get("provider_context")?.value, "tracker.provider_context"),
    workspace: text("workspace"),
    ownership: readOwnership(pairs),
    hasDoctrine: pairs.has("doctrine"),
    egress: readEgress(pairs),
  };
}

/** An invalid value fails only the commands that need consent. */
function readEgress(pairs: Pairs): Egress {
  if (!pairs.has("egress")) return "permitted";
  const value = pairs.get("egress")?.value;
  const text = isScalar(value) ? value.value : null;
  return text === "permitted" || text === "refused" ? text : "invalid";
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** A reference is opaque, but it is sent in URLs and shown to people. */
function checkedRef(ref: string | null): string | null {
  if (ref !== null && !isBindingRef(ref)) {
    throw invalidConfig("`tracker.binding_ref` must be at most 128 characters without spaces.");
  }
  return ref;
}

/** At most 128 characters, no space and no control character. */
function isBindingRef(text: string): boolean {
  return text.length <= 128 && /^[^\s\p{Cc}\p{Cf}]+$/u.test(text);
}

function readOwnership(pairs: Pairs): OwnershipSetting {
  const key = ownershipKey(pairs);
  const path = `tracker.${key}`;
  const value = pairs.get(key)?.value;
  if (!isNull(value) && !isMap(value)) throw invalidConfig(`\`${path}\` must be a mapping.`);
  const settings: Pairs = isMap(value) ? pairsByKey(value, path) : new Map();
  return {
    mode: readText(settings.get("mode")?.value, `${path}.mode`) ?? "external_authoritative",
    fieldOwners: readTexts(settings.get("field_owners")?.value, `${path}.field_owners`) ?? {},
    // Next to the ownership, not in it: Spec Kitty clients rewrite that mapping, but keep keys here that they do not know.
    conflictStrategy: readText(pairs.get("conflict_strategy")?.value, "tracker.conflict_strategy"),
  };
}
