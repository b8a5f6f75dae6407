import { defineCommand } from "citty";
import { renderProviders } from "../render/providers.ts";
import { type Invocation, print, withService } from "./invocation.ts";

/** `tracker providers` */
export function providersCommand(invocation: Invocation) {
  return defineCommand({
    meta: { name: "providers", description: "List the supported providers" },
    run: () => withService(invocation, (service) => print(invocation, service.providers(), renderProviders)),
  });
}
