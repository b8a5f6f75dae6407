import { defineCommand } from "citty";

export const missionCommand = defineCommand({
  meta: { description: "Start a mission from an issue, and publish its progress to the issue" },
  subCommands: {
    seed: async () => (await import("./mission/seed.ts")).seedCommand,
    publish: async () => (await import("./mission/publish.ts")).publishCommand,
  },
});
