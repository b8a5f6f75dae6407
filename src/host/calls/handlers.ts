import { bindingCalls } from "./binding.ts";
import { connectionCalls } from "./connections.ts";
import type { Handlers } from "./handler.ts";
import { issueCalls } from "./issues.ts";
import { mappingCalls } from "./mappings.ts";
import { sessionCalls } from "./sessions.ts";
import { statusCalls } from "./status.ts";
import { syncCalls } from "./sync.ts";

/** The handler of every call; a missing one is a type error. */
export const HANDLERS: Handlers = {
  ...bindingCalls,
  ...connectionCalls,
  ...issueCalls,
  ...mappingCalls,
  ...sessionCalls,
  ...statusCalls,
  ...syncCalls,
};
