import { defineCommand } from "citty";
import { UsageError } from "../../shared/errors.ts";
import { escapeText } from "../../shared/text.ts";
import { type Invocation, print, withService } from "../invocation.ts";
import { renderSession, sessionToJson } from "../render/session.ts";
import { askForSecret, secretFromPipe } from "../secret.ts";

/** `tracker auth` */
export function authCommand(invocation: Invocation) {
  return defineCommand({
    meta: { name: "auth", description: "Log in to a control plane" },
    subCommands: {
      login: () => loginCommand(invocation),
      status: () => sessionCommand(invocation),
      logout: () => logoutCommand(invocation),
    },
  });
}

function loginCommand(invocation: Invocation) {
  const args = {
    "with-token": { type: "boolean", description: "Read a personal access token from standard input" },
  } as const;
  return defineCommand({
    meta: { name: "login", description: "Store a credential for the control plane" },
    args,
    run: async ({ args }) => {
      if (args["with-token"] !== true) {
        throw new UsageError("This version logs in with a personal access token.", {
          hint: "tracker auth login --with-token < token-file",
        });
      }
      const { io, log } = invocation;
      const token = io.stdin.isTerminal
        ? await askForSecret(io, { name: "Access token", lines: [] })
        : await secretFromPipe(io, "tracker auth login --with-token < token-file");
      if (token === null) {
        log.info("Login cancelled");
        return;
      }
      const session = await withService(invocation, (service) => service.sessions.login(token));
      await print(invocation, sessionToJson(session), (_, style) => renderSession(session, style));
    },
  });
}

function sessionCommand(invocation: Invocation) {
  return defineCommand({
    meta: { name: "status", description: "Show who the control plane takes you for" },
    run: async () => {
      const session = await withService(invocation, (service) => service.sessions.current());
      await print(invocation, sessionToJson(session), (_, style) => renderSession(session, style));
    },
  });
}

function logoutCommand(invocation: Invocation) {
  return defineCommand({
    meta: { name: "logout", description: "Forget the stored credential" },
    run: async () => {
      const result = await withService(invocation, (service) => service.sessions.logout());
      const host = escapeText(result.host);
      await print(invocation, result, ({ removed }) =>
        removed ? `Logged out of ${host}\n` : `There was no stored credential for ${host}\n`,
      );
    },
  });
}
