/** Connector to beads, the issue tracker in a repository's own `.beads` folder. */
import type { TrackerConnector } from "../../connector.ts";
import type { LocalParams } from "../params.ts";
import {
  Program,
  type ProgramEnvironment,
  type ProgramOptions,
  programEnvironment,
} from "../shared/program.ts";
import { ProviderConnector } from "../shared/provider-connector.ts";
import { BeadsApi } from "./api.ts";
import { FIXED_ENVIRONMENT } from "./command.ts";
import { BEADS } from "./map.ts";

/** Connects to the tracker of the folder `cwd`; runs nothing yet. */
export function connectBeads(
  params: LocalParams<"beads">,
  environment: ProgramEnvironment,
): TrackerConnector {
  const program = new Program(beadsOptions(params, environment));
  return new ProviderConnector(new BeadsApi(program, params.workspace));
}

export function beadsOptions(
  { command, cwd }: LocalParams<"beads">,
  environment: ProgramEnvironment,
): ProgramOptions {
  return {
    provider: BEADS,
    command,
    ...(cwd !== undefined && { cwd }),
    environment: programEnvironment(environment, ["BD_", "BEADS_", "DOLT_"], FIXED_ENVIRONMENT),
    install: "Install it: https://github.com/gastownhall/beads#installation.",
  };
}
