import { defineCommand } from "citty";

export const authCommand = defineCommand({
  meta: { description: "Log in to a control plane" },
  subCommands: {
    login: async () => (await import("./auth/login.ts")).loginCommand,
    status: async () => (await import("./auth/status.ts")).statusCommand,
    logout: async () => (await import("./auth/logout.ts")).logoutCommand,
  },
});
