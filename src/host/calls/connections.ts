import { hostedProvider } from "../check.ts";
import {
  listConnections,
  listInstallations,
  refreshConnection,
  removeConnection,
  testConnection,
} from "../connections/connections.ts";
import type { Handlers } from "./handler.ts";

export const connectionCalls = {
  installations: async ({ scope }, { provider }) => ({
    installations: await listInstallations(scope, provider === undefined ? null : hostedProvider(provider)),
  }),

  connections: async ({ scope }) => ({ connections: await listConnections(scope) }),

  connect: async (context, request) => {
    const { scope, operations } = context;
    const provider = hostedProvider(request.provider);
    const [{ connect }, { credentialOf }] = await Promise.all([
      import("../connections/connect.ts"),
      import("../connections/credentials.ts"),
    ]);
    const credential = credentialOf(provider, request);
    return operations.run(scope, { kind: "connect", subject: provider }, (progress) =>
      connect(scope, context, provider, credential, progress),
    );
  },

  testConnection: ({ scope, sources }, { connection_id }) => testConnection(scope, sources, connection_id),

  refreshConnection: ({ scope, inventory, operations }, { connection_id }) =>
    operations.run(scope, { kind: "refresh", subject: connection_id }, (progress) =>
      refreshConnection(scope, inventory, connection_id, progress),
    ),

  removeConnection: async ({ scope }, { connection_id }) => {
    await removeConnection(scope, connection_id);
    return null;
  },
} satisfies Partial<Handlers>;
