import { escapeText } from "../../shared/text.ts";
import { defineAction } from "../argv.ts";
import { print, withService } from "../invocation.ts";
import { bindingToJson, renderReplacement } from "../render/binding.ts";

export const unbindCommand = defineAction({
  description: "Remove this project's binding",
  run: (invocation) =>
    withService(invocation, async (service) => {
      const binding = await service.unbind();
      await print(
        invocation,
        bindingToJson(binding),
        () => `Unbound from ${escapeText(renderReplacement(binding))}\n`,
      );
    }),
});
