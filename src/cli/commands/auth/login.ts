import { defineAction } from "../../argv.ts";
import { HINTS } from "../../hints.ts";
import { print, withService } from "../../invocation.ts";
import { renderSession, sessionToJson } from "../../render/session.ts";
import { askForSecret, secretFromPipe } from "../../secret.ts";

export const loginCommand = defineAction({
  description: "Log in with a personal access token, and store it",
  args: {
    "with-token": {
      type: "boolean",
      description: "Read the token from standard input, or prompt for it in a terminal; the default",
    },
  },
  run: async (invocation) => {
    const { io, log } = invocation;
    const token = io.stdin.isTerminal
      ? await askForSecret(io, { name: "Access token", lines: [] })
      : await secretFromPipe(io, HINTS.pipeToken);
    if (token === null) {
      log.info("Login canceled");
      return;
    }
    const session = await withService(invocation, (service) => service.sessions.login(token));
    await print(invocation, sessionToJson(session), (_, style) => renderSession(session, style));
  },
});
