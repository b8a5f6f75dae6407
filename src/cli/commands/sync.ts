import { defineCommand } from "citty";

export const syncCommand = defineCommand({
  meta: { description: "Synchronize with the tracker that this project is bound to" },
  subCommands: {
    pull: async () => (await import("./sync/pull.ts")).pullCommand,
    push: async () => (await import("./sync/push.ts")).pushCommand,
    run: async () => (await import("./sync/run.ts")).runCommand,
    wait: async () => (await import("./sync/wait.ts")).waitCommand,
    conflicts: async () => (await import("./sync/conflicts.ts")).conflictsCommand,
    resolve: async () => (await import("./sync/resolve.ts")).resolveCommand,
    publish: async () => (await import("./sync/publish.ts")).publishCommand,
  },
});
