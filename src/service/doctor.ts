/** The checks of `tracker doctor`. Each reports a problem and the command that repairs it. */
import type { ControlPlaneClient } from "../client.ts";
import { findProject, type Project, type ProjectStore } from "../config/project.ts";
import type { ControlPlane } from "../config/settings.ts";
import { bindingOf } from "../config.ts";
import type { Context } from "../shared/context.ts";
import { TrackerError } from "../shared/errors.ts";
import { findGit } from "../shared/git.ts";
import { type HostedProvider, isHosted, providerName } from "../shared/providers.ts";
import { wireIdentity } from "./wire.ts";

export interface Check {
  readonly name: string;
  readonly outcome: "ok" | "failed" | "skipped";
  readonly message: string;
  readonly error: TrackerError | null;
}

interface Patient {
  readonly context: Context;
  readonly projectFolder: string;
  readonly projects: ProjectStore;
  readonly controlPlane: () => Promise<ControlPlane>;
  readonly openClient: () => Promise<ControlPlaneClient>;
  /** @throws TrackerError when the on-device provider does not answer */
  readonly askLocal: (project: Project) => Promise<void>;
  /** Adopts the binding of a clone, as every command does. */
  readonly askHosted: (project: Project) => Promise<unknown>;
}

/** A failed check does not keep the others from running. */
export async function diagnose(patient: Patient): Promise<Check[]> {
  const { context, projectFolder } = patient;
  const checks: Check[] = [];
  /** Returns the check's finding for later checks; null when it failed. */
  const check = async <T = null>(name: string, run: () => Promise<Finding<T>>): Promise<T | null> => {
    const { found, ...result } = await guard(run);
    checks.push({ name, ...result });
    return found;
  };

  await check("git", async () => {
    const git = findGit(projectFolder, context.env);
    return git === null
      ? failed("git_missing", "There is no git on the PATH outside this project.")
      : ok(git);
  });

  const project = await check<Project>("project", async () => {
    const found = await findProject(projectFolder, context);
    if (found === null) {
      return failed("no_project", "No project or git repository here.");
    }
    return { ...ok(found.source !== "none" ? found.root : `${found.root} (never bound)`), found };
  });

  await check("config", async () => {
    if (project === null) return skipped("no project");
    return project.source !== "none" ? ok(project.configPath) : skipped("made by the first bind");
  });

  await check("identity", async () => {
    if (project === null) return skipped("no project");
    const { slug, repoSlug } = await patient.projects.identity(project);
    const repository = repoSlug === null ? "no origin remote" : `origin ${repoSlug}`;
    const recorded = project.config.project.uuid === null ? "not recorded yet" : "recorded";
    return ok(`${slug}, ${repository}, ${recorded}`);
  });

  const controlPlane = await check<ControlPlane>("control plane", async () => {
    const found = await patient.controlPlane();
    const name = found.kind === "embedded" ? "embedded" : found.url.origin;
    return { ...ok(`${name} (${found.source})`), found };
  });

  const reachable = await check<true>("reachable", async () => {
    if (controlPlane === null) return skipped("no control plane");
    const client = await patient.openClient();
    try {
      const { version, database } = await client.call("health", {});
      return { ...ok([`version ${version ?? "unknown"}`, database].filter(Boolean).join(", ")), found: true };
    } catch (error) {
      if (!isNotOffered(error)) throw error;
      await client.call("resources", { provider: boundProvider(project) }).catch((refusal: unknown) => {
        if (!(refusal instanceof TrackerError) || refusal.code !== "no_installation") throw refusal;
      });
      return { ...ok("answers; it has no health check"), found: true };
    }
  });

  await check("session", async () => {
    if (reachable === null) return skipped("control plane not reachable");
    try {
      const { name, email, teams } = await (await patient.openClient()).call("me", {});
      return ok(`${name ?? email ?? "you"} in ${teams.map(({ slug }) => slug).join(", ") || "no team"}`);
    } catch (error) {
      if (isNotOffered(error)) return skipped(error.message);
      throw error;
    }
  });

  await check("binding", async () => {
    if (project === null) return skipped("no project");
    const binding = bindingOf(project.config);
    if (binding === null) return skipped("not bound");
    const { provider, bindingRef, workspace } = binding;
    if (workspace !== null) {
      await patient.askLocal(project);
      return ok(`${workspace} (${provider}) answers`);
    }
    if (bindingRef === null) return skipped("older config without a reference");
    if (reachable === null) return skipped("control plane not reachable");
    const identity = wireIdentity(await patient.projects.identity(project));
    const client = await patient.openClient();
    const validate = () =>
      client.call("bindValidate", { provider, binding_ref: bindingRef, project_identity: identity });
    let validation = await validate();
    if (!validation.valid && controlPlane?.kind === "embedded") {
      await patient.askHosted(project);
      validation = await validate();
    }
    if (!validation.valid) return failedWith(stale(bindingRef, provider, client.name, validation.reason));
    // A mapping outlives its connection and stays valid.
    const { connected } = await client.call("status", { provider, binding_ref: bindingRef });
    return connected === false
      ? failed(
          "no_installation",
          `${bindingRef} is valid, but ${providerName(provider)} is not connected`,
          provider,
        )
      : ok(`${bindingRef} is valid`);
  });

  await check("terminal", async () => {
    const { io } = context;
    const facts = [
      io.canPrompt ? "prompts" : "no prompts",
      io.stdout.color ? "color" : "no color",
      io.unicode ? "UTF-8" : "ASCII",
    ];
    return ok(facts.join(", "));
  });

  return checks;
}

function isNotOffered(error: unknown): error is TrackerError {
  return error instanceof TrackerError && error.code === "not_offered";
}

/** The project's provider, else any. */
function boundProvider(project: Project | null): HostedProvider {
  const provider = project?.config.tracker.provider ?? "";
  return isHosted(provider) ? provider : "github";
}

/** Hosts use one reason for a deleted binding and for an unknown one. */
function stale(
  bindingRef: string,
  provider: string,
  controlPlane: string,
  reason: string | null,
): TrackerError {
  const details = {
    reason: reason === "mapping_deleted" ? "binding_not_found" : reason,
    control_plane: controlPlane,
  };
  return new TrackerError("stale_binding", `${bindingRef}: ${reason ?? "invalid"}`, { provider, details });
}

type Finding<T> = Omit<Check, "name"> & { readonly found: T | null };

const ok = (message: string): Finding<never> => ({ outcome: "ok", message, error: null, found: null });
const skipped = (message: string): Finding<never> => ({
  outcome: "skipped",
  message,
  error: null,
  found: null,
});
const failed = (code: string, message: string, provider?: string): Finding<never> =>
  failedWith(new TrackerError(code, message, { provider }));
const failedWith = (error: TrackerError): Finding<never> => ({
  outcome: "failed",
  message: error.message,
  error,
  found: null,
});

async function guard<T>(run: () => Promise<Finding<T>>): Promise<Finding<T>> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof TrackerError)) throw error;
    return failedWith(error);
  }
}
