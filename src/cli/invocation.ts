import { isAbsolute, resolve } from "node:path";
import type { EmbeddedHost } from "../service/access.ts";
import type { TrackerService } from "../service.ts";
import type { Context } from "../shared/context.ts";
import type { Io } from "../shared/io.ts";
import { createLog, type Log } from "../shared/log.ts";
import { toJson } from "../shared/text.ts";
import type { Globals } from "./argv.ts";
import { HINTS } from "./hints.ts";
import { type Style, styleOf } from "./render/style.ts";

/** The upgrade of an older config that is left to a program. */
interface PendingUpgrade {
  readonly binding_ref: string;
  readonly display_label: string | null;
  readonly provider_context: Readonly<Record<string, string>> | null;
}

export interface Invocation {
  readonly context: Context;
  readonly globals: Globals;
  readonly io: Io;
  readonly log: Log;
  /** The upgrade of an older config that is left to the caller; set by the service. */
  readonly upgrade: { pending: PendingUpgrade | null };
}

export function createInvocation(context: Context, globals: Globals): Invocation {
  const plain = globals.color ? {} : { color: false };
  const { stdin, stdout, stderr, unicode } = context.io;
  const io: Io = {
    stdin,
    stdout: { ...stdout, ...plain },
    stderr: { ...stderr, ...plain },
    unicode,
    get canPrompt() {
      return globals.input && !globals.json && context.io.canPrompt;
    },
  };
  const level = globals.verbose ? 4 : globals.json ? 0 : 3;
  return { context: { ...context, io }, globals, io, log: createLog(io, level), upgrade: { pending: null } };
}

/** Loads the service here and no earlier, and closes it after `use`. */
export async function withService<T>(
  { context, globals, log, upgrade }: Invocation,
  use: (service: TrackerService) => Promise<T>,
): Promise<T> {
  const { TrackerService } = await import("../service.ts");
  const folder = globals.project ?? ".";
  const service = new TrackerService({
    context,
    projectFolder: isAbsolute(folder) ? folder : resolve(context.cwd, folder),
    hostFlag: globals.host,
    openEmbedded: (databasePath) => openEmbedded(databasePath, { context, log }),
    onUpgrade: ({ bindingRef, displayLabel, providerContext }, outcome) => {
      if (outcome === "written") {
        log.info(`Updated .kittify/config.yaml: it records ${bindingRef} now.`);
        return;
      }
      upgrade.pending = {
        binding_ref: bindingRef,
        display_label: displayLabel,
        provider_context: providerContext,
      };
      log.info(HINTS.pendingUpgrade(bindingRef));
    },
    onDoctrine: globals.json ? null : () => log.warn(HINTS.doctrine),
    onAdopted: (label) => log.info(`Using ${label}, as .kittify/config.yaml says.`),
    debug: (line) => log.debug(line),
  });
  try {
    return await use(service);
  } finally {
    await service.close();
  }
}

/** The embedded control plane is loaded here: a command that calls a remote one never loads it. */
async function openEmbedded(
  databasePath: string,
  { context, log }: Pick<Invocation, "context" | "log">,
): Promise<EmbeddedHost> {
  const [{ openEmbeddedHost }, { VERSION }] = await Promise.all([
    import("../host/index.ts"),
    import("../shared/version.ts"),
  ]);
  return openEmbeddedHost({
    databasePath,
    now: context.timing.now,
    version: VERSION,
    env: context.env,
    vaultKey: vaultKeyOf(context),
    providerFetch: context.fetch,
    log: (entry) => log.debug(JSON.stringify(entry)),
  });
}

/** The key for stored credentials; undefined without one in the environment. */
export function vaultKeyOf({ env }: Context): string | undefined {
  return env.TRACKER_VAULT_KEY || undefined;
}

/** The result of a call about a binding, with the upgrade of the config that is left to the caller. */
export function payloadOf<T extends object>({ upgrade: { pending } }: Invocation, result: T) {
  return pending === null ? result : { ...result, pending_binding_upgrade: pending };
}

/** Prints JSON when asked for, else the text that `draw` returns. */
export async function print<T>(
  { io, globals }: Invocation,
  result: T,
  draw: (result: T, style: Style) => string,
): Promise<void> {
  io.stdout.write(globals.json ? toJson(result) : draw(result, await styleOf(io, io.stdout)));
}
