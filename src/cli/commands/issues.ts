import { defineCommand } from "citty";

export const issuesCommand = defineCommand({
  meta: { description: "Read the issues of the bound resource" },
  subCommands: {
    list: async () => (await import("./issues/list.ts")).listCommand,
    search: async () => (await import("./issues/search.ts")).searchCommand,
  },
});
