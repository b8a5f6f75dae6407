/** Connectors over the network tell the time of whoever answered last. */
import { expect, test } from "bun:test";
import type { TrackerConnector } from "../../../src/sdk/connector.ts";
import { createHostedConnector } from "../../../src/sdk/connectors/hosted.ts";
import type { Transport } from "../../../src/sdk/http/transport.ts";

/** Answers nothing that anybody could use, with these `Date` headers in turn. */
function answering(...dates: readonly (string | null)[]): Transport {
  const left = dates.values();
  return {
    send: async () => {
      const date = left.next().value ?? null;
      return { status: 200, headers: new Headers(date === null ? {} : { date }), body: null };
    },
  };
}

const OPEN: readonly (readonly [string, (transport: Transport) => Promise<TrackerConnector>])[] = [
  [
    "github",
    (transport) =>
      createHostedConnector({ provider: "github", params: { owner: "acme", repo: "web" }, transport }),
  ],
  [
    "gitlab",
    (transport) => createHostedConnector({ provider: "gitlab", params: { projectId: "7" }, transport }),
  ],
  [
    "jira",
    (transport) =>
      createHostedConnector({
        provider: "jira",
        params: { baseUrl: "https://acme.atlassian.net", projectId: "10001" },
        transport,
      }),
  ],
  [
    "linear",
    (transport) => createHostedConnector({ provider: "linear", params: { teamId: "team-1" }, transport }),
  ],
];

test.each(OPEN)("%s: null before the first answer, then by the last one that told", async (_, open) => {
  const connector = await open(
    answering("Sun, 01 Mar 2026 09:00:00 GMT", null, "soon", "Sun, 01 Mar 2026 09:05:07 GMT"),
  );
  const ask = () => connector.listIssues({}).catch(() => null);
  expect(connector.time?.()).toBeNull();
  for (const told of ["09:00:00", "09:00:00", "09:00:00", "09:05:07"]) {
    await ask();
    expect(connector.time?.()).toBe(`2026-03-01T${told}.000Z`);
  }
});
