import { escapeText } from "../../../../shared/text.ts";
import { defineAction } from "../../../argv.ts";
import { print, withService } from "../../../invocation.ts";
import { MAPPING_REF } from "./mapping-argument.ts";

export const deleteCommand = defineAction({
  description: "Delete a mapping, so that its project can be bound again",
  args: { ref: MAPPING_REF },
  run: async (invocation, { ref }) => {
    await withService(invocation, (service) => service.call("deleteMapping", { binding_ref: ref }));
    await print(invocation, { deleted: ref }, () => `Deleted ${escapeText(ref)}\n`);
  },
});
