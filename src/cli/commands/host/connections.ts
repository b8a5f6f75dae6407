import { defineCommand } from "citty";

export const connectionsCommand = defineCommand({
  meta: { description: "List, test, refresh and remove connections" },
  subCommands: {
    list: async () => (await import("./connections/list.ts")).listCommand,
    test: async () => (await import("./connections/test.ts")).testCommand,
    refresh: async () => (await import("./connections/refresh.ts")).refreshCommand,
    remove: async () => (await import("./connections/remove.ts")).removeCommand,
  },
});
