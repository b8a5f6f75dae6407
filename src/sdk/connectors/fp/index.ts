/** Connector to fp, the issue tracker in a project's own `.fp` folder. */
import type { TrackerConnector } from "../../connector.ts";
import type { LocalParams } from "../params.ts";
import {
  Program,
  type ProgramEnvironment,
  type ProgramOptions,
  programEnvironment,
} from "../shared/program.ts";
import { ProviderConnector } from "../shared/provider-connector.ts";
import { FpApi } from "./api.ts";
import { FP } from "./map.ts";

/** Connects to the project of the folder `cwd`; runs nothing yet. */
export function connectFp(params: LocalParams<"fp">, environment: ProgramEnvironment): TrackerConnector {
  const program = new Program(fpOptions(params, environment));
  return new ProviderConnector(new FpApi(program, params.workspace));
}

export function fpOptions(
  { command, cwd }: LocalParams<"fp">,
  environment: ProgramEnvironment,
): ProgramOptions {
  return {
    provider: FP,
    command,
    ...(cwd !== undefined && { cwd }),
    environment: programEnvironment(environment, ["FP_"], { NO_COLOR: "1" }),
    install: "Install it: https://fp.dev/docs.",
  };
}
