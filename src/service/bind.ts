/**
 * Binding a project to a resource of a control plane: choose, confirm, write.
 * An explicit choice wins; without one the resource that the config names, else
 * a certain match, else the person chooses among all resources.
 */
import type { ControlPlaneClient } from "../client.ts";
import type { ProjectIdentity } from "../config/identity.ts";
import { assertWritable, type Project, type ProjectStore } from "../config/project.ts";
import { type Binding, bindingEdit, bindingOf } from "../config.ts";
import { choiceOf, matchingResources, type NumberedResource, sameResource } from "../discovery.ts";
import type { BindConfirmResponse, BindResolveResponse } from "../protocol.ts";
import { TrackerError } from "../shared/errors.ts";
import { type HostedProvider, providerName } from "../shared/providers.ts";
import { Choices } from "./choices.ts";
import { type ConfigChange, changeOf, previewBind } from "./config-change.ts";
import { bindingFromWire, wireIdentity } from "./wire.ts";

/** Most choices that an error carries. */
const MAX_CHOICES = 10;

/** The way in which the resource is chosen. */
export type Selection =
  | { readonly by: "certainty" }
  | { readonly by: "number"; readonly number: number }
  | { readonly by: "match"; readonly text: string }
  | { readonly by: "reference"; readonly bindingRef: string };

/** The questions of a bind. */
export interface BindDialog {
  /** False where no person can answer. */
  readonly canAsk: boolean;
  /** Lets the person choose one of `rows`; null when they cancel. */
  choose(rows: readonly NumberedResource[]): Promise<NumberedResource | null>;
  /** Asks before a binding is replaced that no flag named. */
  mayReplace(existing: Binding): Promise<boolean>;
  /** Shows the reasons of a resolution; null without `--explain`. */
  readonly explain: ((resolution: BindResolveResponse) => void) | null;
}

/** The request of a bind. */
export interface BindRequest {
  readonly provider: HostedProvider;
  readonly selection: Selection;
  /** Replaces an existing binding without a question. */
  readonly replaces: boolean;
  readonly dryRun: boolean;
}

/** A finished bind, or a planned one. */
export interface BindOutcome extends ConfigChange {
  /** ISO 8601; null when the binding existed before. */
  readonly boundAt: string | null;
}

interface BinderOptions {
  readonly client: ControlPlaneClient;
  readonly projects: ProjectStore;
  readonly debug: (line: string) => void;
}

/** The project that is bound, and its choices. */
interface Situation {
  readonly choices: Choices;
  readonly identity: ProjectIdentity;
  readonly existing: Binding | null;
}

/** A binding that exists, or a resource to confirm. */
interface Chosen {
  /** Before the confirmation as far as it is known; the reference only where the control plane derives it. */
  readonly binding: Binding;
  /** Null for a binding that exists. */
  readonly resource: Unconfirmed | null;
}

/** A resource to confirm. */
interface Unconfirmed {
  readonly provider: HostedProvider;
  readonly token: string;
  /** Null for a certain match. */
  readonly row: NumberedResource | null;
}

/** Binds projects through a control plane. */
export class Binder {
  readonly #client: ControlPlaneClient;
  readonly #projects: ProjectStore;
  readonly #debug: (line: string) => void;

  constructor({ client, projects, debug }: BinderOptions) {
    this.#client = client;
    this.#projects = projects;
    this.#debug = debug;
  }

  /** Binds `project`; null when the person cancels. Writes the config only when all went well. */
  async bind(project: Project, request: BindRequest, dialog: BindDialog): Promise<BindOutcome | null> {
    if (!request.dryRun) assertWritable(project);
    const { provider } = request;
    const identity = await this.#projects.identity(project);
    const existing = bindingOf(project.config);
    const known = existing?.provider === provider ? existing : null;
    const choices = new Choices(this.#client, provider, { identity, known });
    const chosen = await this.#choose({ choices, identity, existing }, request, dialog);
    if (chosen === null) return null;
    dialog.explain?.(await choices.resolution());
    if (!request.dryRun) return this.#projects.alone(project, (now) => this.#bindNow(now, chosen));
    const planned = known === null ? chosen.binding : withKnownRef(chosen, known);
    const preview = previewBind(project, identity, planned);
    return { ...changeOf(project, planned, preview), boundAt: null };
  }

  /** Confirms and writes while no other process binds this project; `project` is as it is now. */
  async #bindNow(project: Project, { binding, resource }: Chosen): Promise<BindOutcome> {
    const derived = await this.#projects.identity(project);
    if (resource === null) return this.#write(project, derived, binding, null);
    const identity = this.#projects.reserve(project, derived);
    const answer = await this.#confirm(identity, binding, resource);
    if (resource.row !== null && binding.displayLabel !== answer.display_label)
      throw wrongResource(binding, answer);
    return this.#write(project, identity, bindingFromWire(answer.provider, answer), answer.bound_at);
  }

  #write(project: Project, identity: ProjectIdentity, binding: Binding, boundAt: string | null): BindOutcome {
    this.#projects.bind(project, identity, ({ tracker }) => ({ tracker: bindingEdit(tracker, binding) }));
    return { ...changeOf(project, binding, null), boundAt };
  }

  async #choose(
    { choices, identity, existing }: Situation,
    { provider, selection, replaces, dryRun }: BindRequest,
    dialog: BindDialog,
  ): Promise<Chosen | null> {
    switch (selection.by) {
      case "reference":
        return this.#validated(provider, selection.bindingRef, identity);
      case "number":
        return toChosen(provider, await numbered(choices, provider, selection.number));
      case "match":
        return toChosen(provider, await matching(choices, provider, selection.text));
    }
    const certain = certainChoice(provider, this.#client.name, await choices.resolution());
    const byPerson = () => chosenBy(dialog, provider, choices);
    if (existing === null || replaces || dryRun) return certain ?? byPerson();
    // The project is bound, and no flag says what to bind it to.
    const isSame = certain !== null && leadsTo(certain, existing);
    if (isSame && !dialog.canAsk) return certain;
    if (!(await dialog.mayReplace(existing))) return null;
    return certain === null || isSame ? byPerson() : certain;
  }

  async #validated(provider: HostedProvider, bindingRef: string, identity: ProjectIdentity): Promise<Chosen> {
    const validation = await this.#client.call("bindValidate", {
      provider,
      binding_ref: bindingRef,
      project_identity: wireIdentity(identity),
    });
    if (!validation.valid) {
      const reason = validation.reason ?? "invalid";
      throw new TrackerError(
        "invalid_binding_ref",
        `${bindingRef} cannot be bound: ${validation.guidance ?? `${reason}.`}`,
        { provider, details: { binding_ref: bindingRef, reason } },
      );
    }
    return { binding: bindingFromWire(provider, validation), resource: null };
  }

  /** Confirms; a token that is refused once is renewed for the same resource and confirmed again. */
  async #confirm(
    identity: ProjectIdentity,
    { displayLabel }: Binding,
    { provider, token, row }: Unconfirmed,
  ): Promise<BindConfirmResponse> {
    const confirm = (candidate_token: string) =>
      this.#client.call("bindConfirm", {
        provider,
        candidate_token,
        project_identity: wireIdentity(identity),
      });
    try {
      return await confirm(token);
    } catch (error) {
      if (!(error instanceof TrackerError) || error.code !== "invalid_candidate_token") throw error;
      this.#debug("the candidate token was refused; looking for the same resource once more");
      const choices = new Choices(this.#client, provider, { identity, known: null });
      const renewed = await renew(choices, row);
      if (renewed !== null) return confirm(renewed);
      const label = displayLabel ?? "The exact match";
      throw new TrackerError("candidate_gone", `${label} is no longer available to this project.`, {
        provider,
        cause: error,
      });
    }
  }
}

/** A fresh token for the same resource; null when it is gone. */
async function renew(choices: Choices, row: NumberedResource | null): Promise<string | null> {
  if (row !== null) return sameResource(await choices.all(), row)?.candidateToken ?? null;
  const resolution = await choices.resolution();
  return resolution.match_type === "exact" ? resolution.candidate_token : null;
}

/** The choice that a resolution makes by itself; null when it is not certain. */
function certainChoice(
  provider: HostedProvider,
  controlPlane: string,
  resolution: BindResolveResponse,
): Chosen | null {
  if (resolution.match_type !== "exact") return null;
  if (resolution.binding_ref !== null) {
    return { binding: bindingFromWire(provider, resolution), resource: null };
  }
  const { candidate_token: token, derived_binding_ref = null, display_label, provider_context } = resolution;
  if (token === null) {
    const message = `${controlPlane} named an exact match without a token to bind it.`;
    throw new TrackerError("invalid_response", message);
  }
  const known = { binding_ref: derived_binding_ref, display_label, provider_context };
  return { binding: bindingFromWire(provider, known), resource: { provider, token, row: null } };
}

function leadsTo({ binding }: Chosen, { bindingRef }: Binding): boolean {
  return bindingRef !== null && bindingRef === binding.bindingRef;
}

async function chosenBy(
  dialog: BindDialog,
  provider: HostedProvider,
  choices: Choices,
): Promise<Chosen | null> {
  const rows = await choices.all();
  if (rows.length === 0) throw nothingToBind(provider);
  if (!dialog.canAsk) throw undecided(provider, rows);
  const row = await dialog.choose(rows);
  return row === null ? null : toChosen(provider, row);
}

async function numbered(
  choices: Choices,
  provider: HostedProvider,
  number: number,
): Promise<NumberedResource> {
  const rows = await choices.all();
  const row = rows[number - 1];
  if (row !== undefined) return row;
  if (rows.length === 0) throw nothingToBind(provider);
  const last = rows.length.toLocaleString("en-US");
  throw selectionRequired(`There is no number ${number}: the last one is ${last}.`, provider, rows);
}

async function matching(choices: Choices, provider: HostedProvider, text: string): Promise<NumberedResource> {
  const found = onlyOne(matchingResources(await choices.search(text), text));
  if (found !== null) return found;
  // The control plane may search in another way, and the list of an error has the numbers that `--select` takes.
  const all = await choices.all();
  const matches = matchingResources(all, text);
  const only = onlyOne(matches);
  if (only !== null) return only;
  if (matches.length > 0) {
    throw selectionRequired(`${matches.length} resources match "${text}".`, provider, matches);
  }
  if (all.length === 0) throw nothingToBind(provider);
  throw selectionRequired(`No resource matches "${text}".`, provider, all);
}

function onlyOne(rows: readonly NumberedResource[]): NumberedResource | null {
  return rows.length === 1 ? (rows[0] ?? null) : null;
}

/** The error without a terminal: the best candidates, else the first resources. */
function undecided(provider: HostedProvider, rows: readonly NumberedResource[]): TrackerError {
  const ranked = rows.filter(({ candidate }) => candidate !== null);
  if (ranked.every(({ candidate }) => candidate?.confidence === "low")) {
    const message = `No resource of ${providerName(provider)} clearly fits this project.`;
    return selectionRequired(message, provider, rows);
  }
  const count = ranked.length === 1 ? "One resource" : "Several resources";
  return selectionRequired(`${count} may fit this project.`, provider, ranked);
}

/** The error of a choice that nothing decides. */
function selectionRequired(
  message: string,
  provider: HostedProvider,
  rows: readonly NumberedResource[],
): TrackerError {
  const choices = rows.slice(0, MAX_CHOICES).map(choiceOf);
  return new TrackerError("selection_required", message, { provider, choices });
}

function nothingToBind(provider: HostedProvider): TrackerError {
  return new TrackerError("no_candidates", `${providerName(provider)} has no resources to bind to.`, {
    provider,
  });
}

function wrongResource(
  { displayLabel }: Binding,
  { provider, display_label, binding_ref }: BindConfirmResponse,
): TrackerError {
  return new TrackerError(
    "wrong_resource",
    `${displayLabel ?? "The resource"} was chosen, and the control plane bound ${display_label}.`,
    { provider, details: { binding_ref } },
  );
}

function toChosen(provider: HostedProvider, row: NumberedResource): Chosen {
  const { candidateToken: token, label, resource } = row;
  const known = { display_label: label, provider_context: resource?.provider_context ?? null };
  return { binding: bindingFromWire(provider, known), resource: { provider, token, row } };
}

/** The chosen binding, with the reference of the config's binding where that is to the chosen resource. */
function withKnownRef({ binding, resource }: Chosen, { bindingRef }: Binding): Binding {
  const listed = resource?.row?.resource;
  const refs = [listed?.binding_ref, ...(listed?.bindings ?? []).map(({ binding_ref }) => binding_ref)];
  return bindingRef !== null && refs.includes(bindingRef) ? { ...binding, bindingRef } : binding;
}
