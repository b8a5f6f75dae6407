import type { MeResponse } from "../../protocol.ts";
import type { Style } from "./style.ts";
import { renderFacts } from "./table.ts";

interface DrawnSession {
  readonly host: string;
  readonly source: string;
  readonly team: string | null;
  readonly user: MeResponse | null;
}

export function renderSession({ host, source, team, user }: DrawnSession, style: Style): string {
  return renderFacts(
    [
      ["Control plane", host],
      ["User", user?.name ?? user?.email ?? (user === null ? "local owner" : user.user_id)],
      ["Team", team],
      ["Teams", user?.teams.map(({ slug }) => slug).join(", ")],
      ["Credential", source],
    ],
    style,
  );
}

export function sessionToJson({ host, source, team, user }: DrawnSession): unknown {
  return { host, source, team, user };
}
