import { defineCommand } from "citty";
import { escapeText } from "../../shared/text.ts";
import { type Invocation, print, withService } from "../invocation.ts";
import { renderReplacement } from "../render/binding.ts";

/** `tracker unbind` */
export function unbindCommand(invocation: Invocation) {
  return defineCommand({
    meta: { name: "unbind", description: "Remove this project's binding" },
    run: () =>
      withService(invocation, async (service) =>
        print(
          invocation,
          await service.unbind(),
          (binding) => `Unbound from ${escapeText(renderReplacement(binding))}\n`,
        ),
      ),
  });
}
