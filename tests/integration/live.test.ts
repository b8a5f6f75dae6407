/**
 * The connectors' contract against the real services, where the environment
 * names a credential of each: `TRACKER_LIVE_<PROVIDER>_TOKEN` and what
 * `COMPANIONS` adds to it. What is created stays in the scratch resource.
 */
import { setDefaultTimeout, test } from "bun:test";
import type { HostedProvider } from "../../src/shared/providers.ts";
import { type ConnectorSubject, describeConnector } from "../helpers/connector-contract.ts";
import { type LiveSettings, liveChoice } from "../helpers/live.ts";

setDefaultTimeout(180_000);

/** Makes the subjects of one provider, each over the same scratch resource. */
type Subjects<P extends HostedProvider> = (settings: LiveSettings<P>) => () => Promise<ConnectorSubject>;

/** Declares the contract for one provider, or says why it is not run. */
function describeLive<P extends HostedProvider>(provider: P, load: () => Promise<Subjects<P>>): void {
  const choice = liveChoice(provider, process.env);
  switch (choice.kind) {
    case "absent":
      test.skip(`live ${provider}: not run, ${choice.reason}`, () => {});
      return;
    case "incomplete":
      test(`live ${provider}`, () => {
        throw new Error(choice.problem);
      });
      return;
    case "ready": {
      // The official SDKs are large: only those that are used are loaded.
      let subjects: Promise<() => Promise<ConnectorSubject>> | null = null;
      describeConnector(`live ${provider}`, async () => {
        subjects ??= load().then((make) => make(choice.settings));
        return (await subjects)();
      });
    }
  }
}

describeLive("github", async () => (await import("../helpers/live-github.ts")).liveGitHub);
describeLive("gitlab", async () => (await import("../helpers/live-gitlab.ts")).liveGitLab);
describeLive("jira", async () => (await import("../helpers/live-jira.ts")).liveJira);
describeLive("linear", async () => (await import("../helpers/live-linear.ts")).liveLinear);
