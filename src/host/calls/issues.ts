import { hostedProvider } from "../check.ts";
import type { Handlers } from "./handler.ts";

export const issueCalls = {
  listTickets: async ({ scope, sources }, request) => {
    const provider = hostedProvider(request.provider);
    const { listTickets } = await import("../jobs/issue-search.ts");
    return listTickets(scope, sources, { ...request, provider });
  },

  searchIssues: async ({ scope, sources }, request) => {
    const provider = hostedProvider(request.provider);
    const { searchIssuesOf } = await import("../jobs/issue-search.ts");
    return searchIssuesOf(scope, sources, { ...request, provider });
  },
} satisfies Partial<Handlers>;
