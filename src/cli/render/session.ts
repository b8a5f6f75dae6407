import type { MeResponse } from "../../protocol.ts";
import type { Style } from "./style.ts";
import { renderFacts } from "./table.ts";

/** The part of a session that is drawn. */
interface DrawnSession {
  readonly host: string;
  readonly source: string;
  readonly team: string | null;
  readonly user: MeResponse | null;
}

/** Draws who the control plane takes the person for. */
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

/** A session for programs. */
export function sessionToJson({ host, source, team, user }: DrawnSession): unknown {
  return { host, source, team, user };
}
