import { HOSTED_PROVIDERS, LOCAL_PROVIDERS, providerName } from "../../../shared/providers.ts";
import { defineRefused } from "../../argv.ts";
import { HINTS } from "../../hints.ts";

/** `tracker sync publish`, a command of older tools. */
export const publishCommand = defineRefused({
  message: `\`sync publish\` is not supported by any provider: ${[...LOCAL_PROVIDERS, ...HOSTED_PROVIDERS].map(providerName).join(", ")}.`,
  hint: HINTS.syncPublish,
});
