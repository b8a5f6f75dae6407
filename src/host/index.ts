/** The control plane's public surface: what commands and the embedded default use. */
export { createHost } from "./app.ts";
export { openEmbeddedHost } from "./embedded.ts";
export { ListenError, type ServerOptions, startServer } from "./serve.ts";
