import type { Handlers } from "./handler.ts";

export const sessionCalls = {
  me: async ({ scope }) => {
    const { user, team, role } = scope.principal;
    return {
      user_id: user.id,
      email: user.email,
      name: user.name,
      teams: [{ ...team, role, is_private_teamspace: false }],
    };
  },
} satisfies Partial<Handlers>;
