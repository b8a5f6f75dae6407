import type { TeamScope } from "../access/team-scope.ts";

/** The values that the middleware adds to a request's context. */
export interface HostEnvironment {
  readonly Variables: {
    scope: TeamScope;
    requestId: string;
  };
}
