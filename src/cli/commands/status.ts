import { defineCommand } from "citty";
import { TrackerError, UsageError } from "../../shared/errors.ts";
import { type Invocation, payloadOf, print, withService } from "../invocation.ts";
import { renderConfiguredBinding } from "../render/binding.ts";
import { renderInstallations, renderProjectStatus } from "../render/status.ts";

/** `tracker status` */
export function statusCommand(invocation: Invocation) {
  const args = {
    all: { type: "boolean", description: "Everything the control plane has for the provider" },
    provider: { type: "string", valueHint: "NAME", description: "With --all: this provider" },
    check: { type: "boolean", description: "Print nothing; exit 1 on a stale or missing binding" },
    offline: { type: "boolean", description: "From the project's config alone" },
  } as const;
  return defineCommand({
    meta: { name: "status", description: "Show what this project is bound to and how its sync stands" },
    args,
    run: async ({ args: { all, provider, check, offline } }) => {
      if (provider !== undefined && all !== true) throw new UsageError("--provider goes with --all.");
      const modes = Object.entries({ all, check, offline }).filter(([, isOn]) => isOn === true);
      if (modes.length > 1) {
        throw new UsageError(`${modes.map(([name]) => `--${name}`).join(" and ")} cannot be used together.`);
      }
      if (all === true) return showAll(invocation, provider);
      if (check === true) return checkBinding(invocation);
      if (offline === true) return showOffline(invocation);
      return showProject(invocation);
    },
  });
}

async function showProject(invocation: Invocation): Promise<void> {
  const answer = await withService(invocation, async (service) => (await service.boundTracker()).status());
  const now = invocation.context.nature.now();
  await print(invocation, payloadOf(answer), (_, style) => renderProjectStatus(answer.result, now, style));
}

async function showOffline(invocation: Invocation): Promise<void> {
  const binding = await withService(invocation, async (service) => service.offlineStatus());
  await print(invocation, binding, (_, style) => renderConfiguredBinding(binding, style));
}

async function showAll(invocation: Invocation, provider: string | undefined): Promise<void> {
  const result = await withService(invocation, (service) => service.installationStatus(provider));
  const now = invocation.context.nature.now();
  await print(invocation, result, (_, style) => renderInstallations([result].flat(), now, style));
}

/** 0 when the binding is served, 1 when it is stale or missing; other failures are told. */
async function checkBinding(invocation: Invocation): Promise<number> {
  try {
    await withService(invocation, async (service) => (await service.boundTracker()).status());
    return 0;
  } catch (error) {
    const isAnswer = error instanceof TrackerError && ["stale_binding", "not_bound"].includes(error.code);
    if (isAnswer) return 1;
    throw error;
  }
}
