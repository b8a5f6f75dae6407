import { defineAction } from "../../argv.ts";
import { print, withService } from "../../invocation.ts";
import { renderSession, sessionToJson } from "../../render/session.ts";

export const statusCommand = defineAction({
  description: "Show the logged-in user",
  run: async (invocation) => {
    const session = await withService(invocation, (service) => service.sessions.current());
    await print(invocation, sessionToJson(session), (_, style) => renderSession(session, style));
  },
});
