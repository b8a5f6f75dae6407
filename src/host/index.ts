/** The control plane's public surface: what commands and the embedded default use. */
export { createHost, type Host, type HostDependencies } from "./app.ts";
export { type EmbeddedHost, type EmbeddedOptions, openEmbeddedHost } from "./embedded.ts";
export type { Log, LogEntry } from "./log.ts";
export { ListenError, type Server, type ServerOptions, startServer } from "./serve.ts";
