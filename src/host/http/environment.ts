import type { TeamScope } from "../access/team-scope.ts";

export interface HostEnvironment {
  readonly Variables: {
    scope: TeamScope;
    requestId: string;
  };
}
