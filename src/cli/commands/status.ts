import { TrackerError, UsageError } from "../../shared/errors.ts";
import { defineAction } from "../argv.ts";
import { type Invocation, payloadOf, print, withService } from "../invocation.ts";
import { bindingToJson, renderConfiguredBinding } from "../render/binding.ts";
import { renderInstallations, renderProjectStatus } from "../render/status.ts";

export const statusCommand = defineAction({
  description: "Show this project's binding and the state of its sync",
  args: {
    all: { type: "boolean", description: "All bindings of the connection" },
    provider: { type: "string", valueHint: "NAME", description: "With --all: this provider" },
    check: { type: "boolean", description: "Print nothing; exit 1 on a stale or missing binding" },
    offline: { type: "boolean", description: "Read only the project's config" },
  },
  run: async (invocation, { all, provider, check, offline }) => {
    if (provider !== undefined && !all) throw new UsageError("--provider needs --all.");
    const modes = Object.entries({ all, check, offline }).filter(([, isOn]) => isOn);
    if (modes.length > 1) {
      throw new UsageError(`${modes.map(([name]) => `--${name}`).join(" and ")} cannot be used together.`);
    }
    if (all) await showAll(invocation, provider);
    else if (offline) await showOffline(invocation);
    else if (check) return checkBinding(invocation);
    else await showProject(invocation);
    return 0;
  },
});

async function showProject(invocation: Invocation): Promise<void> {
  const answer = await withService(invocation, async (service) => (await service.boundTracker()).status());
  const now = invocation.context.timing.now();
  await print(invocation, payloadOf(invocation, answer), (_, style) =>
    renderProjectStatus(answer, now, style),
  );
}

async function showOffline(invocation: Invocation): Promise<void> {
  const binding = await withService(invocation, (service) => service.configuredBinding());
  await print(invocation, bindingToJson(binding), (_, style) => renderConfiguredBinding(binding, style));
}

async function showAll(invocation: Invocation, provider: string | undefined): Promise<void> {
  const result = await withService(invocation, (service) => service.installationStatus(provider));
  const now = invocation.context.timing.now();
  await print(invocation, result, (_, style) => renderInstallations([result].flat(), now, style));
}

/** Returns 0 for a valid binding, 1 for a stale or missing one. Other failures are thrown. */
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
