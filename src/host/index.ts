export { createHost } from "./app.ts";
export { openEmbeddedHost } from "./embedded.ts";
export { ListenError, type ServerOptions, startServer } from "./serve.ts";
