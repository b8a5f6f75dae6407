import { defineCommand } from "citty";

export const mapCommand = defineCommand({
  meta: { description: "List and add mappings between projects and resources" },
  subCommands: {
    list: async () => (await import("./map/list.ts")).listCommand,
    add: async () => (await import("./map/add.ts")).addCommand,
  },
});
