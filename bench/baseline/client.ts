/**
 * The smallest program that makes the requests of `tracker discover` or `tracker
 * bind --select 1`, and for the latter the same edit: `client <discover|bind>
 * <identity as JSON> <config>`. It checks nothing and asks nothing.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";

const [command, identity = "", config = ""] = process.argv.slice(2);
const { TRACKER_HOST, TRACKER_TOKEN, TRACKER_TEAM, USER_AGENT = "" } = process.env;

/** The parts of the answers that are looked at. */
interface Answer {
  readonly resources: readonly { readonly display_label: string; readonly provider: string }[];
  readonly candidates: readonly { readonly candidate_token: string }[];
  readonly binding_ref: string;
  readonly project_slug: string;
  readonly display_label: string;
  readonly provider_context: Readonly<Record<string, string>>;
}

async function call(path: string, body?: string, extra: Record<string, string> = {}): Promise<Answer> {
  const headers = {
    accept: "application/json",
    "accept-encoding": "gzip",
    "user-agent": USER_AGENT,
    ...(body === undefined ? {} : { "content-type": "application/json" }),
    authorization: `Bearer ${TRACKER_TOKEN}`,
    "x-team-slug": `${TRACKER_TEAM}`,
    ...extra,
  };
  const method = body === undefined ? "GET" : "POST";
  const response = await fetch(`${TRACKER_HOST}/api/v1/tracker/${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body }),
  });
  const answer: Answer = JSON.parse(await response.text());
  return answer;
}

const list = () => call("resources/?provider=linear&limit=500");
const resolve = () => call("bind-resolve/", `{"provider":"linear","project_identity":${identity}}`);

if (command === "discover") {
  const [{ resources }] = await Promise.all([list(), resolve()]);
  let text = "";
  for (const { display_label, provider } of resources) text += `${display_label}\t${provider}\n`;
  process.stdout.write(text);
} else {
  const [{ candidates }] = await Promise.all([resolve(), list()]);
  const token = JSON.stringify(candidates[0]?.candidate_token);
  const bound = await call(
    "bind-confirm/",
    `{"provider":"linear","candidate_token":${token},"project_identity":${identity}}`,
    { "idempotency-key": crypto.randomUUID() },
  );
  let section = `tracker:\n  provider: linear\n  binding_ref: ${bound.binding_ref}\n  project_slug: ${bound.project_slug}\n  display_label: ${bound.display_label}\n  provider_context:\n`;
  for (const key in bound.provider_context) section += `    ${key}: ${bound.provider_context[key]}\n`;
  const before = readFileSync(config, "utf8");
  const temporary = `${config}.new`;
  const file = openSync(temporary, "w");
  writeFileSync(file, before + section);
  fsyncSync(file);
  closeSync(file);
  renameSync(temporary, config);
  process.stdout.write(`Bound to ${bound.display_label}\n`);
}
