import { defineAction } from "../argv.ts";
import { print, withService } from "../invocation.ts";
import { renderProviders } from "../render/providers.ts";

export const providersCommand = defineAction({
  description: "List the supported providers",
  run: (invocation) =>
    withService(invocation, (service) => print(invocation, service.providers(), renderProviders)),
});
