import type { TeamScope } from "../access/team-scope.ts";

/** The values that the middleware adds to a request's context for the routes. */
export interface HostEnvironment {
  readonly Variables: {
    /** The authenticated caller's view of the database. */
    scope: TeamScope;
    requestId: string;
  };
}
