/**
 * The control-plane contract: every request, response and error on the wire. `calls.ts` is the table of requests;
 * each other file holds the schemas of one family. The client parses answers with them, the host parses requests.
 * Parsing is tolerant: unknown fields are ignored, and a field that may be null may also be absent. Writers send
 * exactly the documented fields.
 */
export * from "./protocol/binding.ts";
export * from "./protocol/calls.ts";
export * from "./protocol/connections.ts";
export * from "./protocol/errors.ts";
export * from "./protocol/issues.ts";
export * from "./protocol/mappings.ts";
export * from "./protocol/missions.ts";
export * from "./protocol/operations.ts";
export * from "./protocol/routing.ts";
export * from "./protocol/sessions.ts";
export * from "./protocol/status.ts";
export * from "./protocol/sync.ts";
export { problemOf } from "./sdk/model.ts";
