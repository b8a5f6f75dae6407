/** The services that the tour connects: GitHub and Linear of an imaginary company, on loopback. */
import { randomBytes } from "node:crypto";
import { GitHubSimulator } from "../simulators/github/index.ts";
import { LinearSimulator, type TeamSeed } from "../simulators/linear/index.ts";

const DAY = 24 * 60 * 60_000;
const REPOSITORY = "acme/payments-api";

/** The services, until they are disposed of. */
interface DemoProviders extends AsyncDisposable {
  readonly github: GitHubSimulator;
  readonly linear: LinearSimulator;
}

/** Starts both, each with a token that is good for this tour alone. */
export async function startProviders(): Promise<DemoProviders> {
  const github = await new GitHubSimulator({
    token: `ghp_${randomBytes(18).toString("hex")}`,
    workspaces: [
      {
        login: "acme",
        type: "Organization",
        issueTypes: ["Bug", "Feature", "Task"],
        repositories: [
          { name: "payments-api", people: ["ada", "grace"] },
          { name: "payments-api-legacy", archived: true },
          { name: "payments_api_client" },
          { name: "storefront" },
          { name: "handbook", hasIssues: false },
          { name: "infrastructure" },
        ],
      },
      { login: "octavia", repositories: [{ name: "dotfiles" }] },
    ],
  }).start();
  const linear = await new LinearSimulator({
    token: `lin_api_${randomBytes(18).toString("hex")}`,
    workspaces: [
      {
        name: "Acme Corp",
        urlKey: "acme",
        users: [{ displayName: "ada" }, { displayName: "grace" }],
        labels: ["bug", "billing"],
        teams: TEAMS,
      },
    ],
  }).start();
  fill(github, linear);
  return {
    github,
    linear,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([github.stop(), linear.stop()]);
    },
  };
}

const TEAMS: readonly TeamSeed[] = [
  { key: "PAY", name: "Payments API" },
  { key: "PAYS", name: "Payments" },
  { key: "PPL", name: "Payment Platform" },
  { key: "BE", name: "Backend" },
  { key: "WEB", name: "Web Storefront" },
  { key: "OLD", name: "Mobile", gone: "retired" },
];

function fill(github: GitHubSimulator, linear: LinearSimulator): void {
  github.setClock(Date.now() - 3 * DAY);
  const double = github.addIssue(REPOSITORY, {
    title: "Refunds are booked twice when the webhook is retried",
    body: "Seen on three orders this week. The second booking has the same `idempotency_key`.",
  });
  github.labelIssue(REPOSITORY, double, "bug", "billing");
  github.assignIssue(REPOSITORY, double, "ada");
  github.tick(DAY);
  github.addIssue(REPOSITORY, { title: "Rotate the signing keys", body: null });
  github.tick(DAY);
  const invoice = github.addIssue(REPOSITORY, { title: "Pay by invoice", body: "For business customers." });
  github.blockIssue(`${REPOSITORY}#${double}`, `${REPOSITORY}#${invoice}`);
  github.setClock(Date.now());
  linear.setClock(Date.now());
}
