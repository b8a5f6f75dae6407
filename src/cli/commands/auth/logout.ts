import { escapeText } from "../../../shared/text.ts";
import { defineAction } from "../../argv.ts";
import { print, withService } from "../../invocation.ts";

export const logoutCommand = defineAction({
  description: "Delete the stored credential",
  run: async (invocation) => {
    const result = await withService(invocation, (service) => service.sessions.logout());
    const host = escapeText(result.host);
    await print(invocation, result, ({ removed }) =>
      removed ? `Logged out of ${host}\n` : `No credential is stored for ${host}\n`,
    );
  },
});
