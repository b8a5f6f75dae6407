import { defineCommand } from "citty";

export const hostCommand = defineCommand({
  meta: { description: "Run and administer a control plane" },
  subCommands: {
    serve: async () => (await import("./host/serve.ts")).serveCommand,
    connect: async () => (await import("./host/connect.ts")).connectCommand,
    connections: async () => (await import("./host/connections.ts")).connectionsCommand,
    mappings: async () => (await import("./host/mappings.ts")).mappingsCommand,
  },
});
