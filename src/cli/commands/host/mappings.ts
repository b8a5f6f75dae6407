import { defineCommand } from "citty";

export const mappingsCommand = defineCommand({
  meta: { description: "Update and delete mappings; `map list` lists them" },
  subCommands: {
    update: async () => (await import("./mappings/update.ts")).updateCommand,
    delete: async () => (await import("./mappings/delete.ts")).deleteCommand,
  },
});
