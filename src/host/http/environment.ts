import type { TeamScope } from "../access/team-scope.ts";

/** What the middleware puts into a request's context for the routes. */
export interface HostEnvironment {
  readonly Variables: {
    /** The authenticated caller's view of the database. */
    scope: TeamScope;
    requestId: string;
  };
}
