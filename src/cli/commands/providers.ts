import { defineCommand } from "citty";
import { type Invocation, print, withService } from "../invocation.ts";
import { renderProviders } from "../render/providers.ts";

/** `tracker providers` */
export function providersCommand(invocation: Invocation) {
  return defineCommand({
    meta: { name: "providers", description: "List the supported providers" },
    run: () => withService(invocation, (service) => print(invocation, service.providers(), renderProviders)),
  });
}
