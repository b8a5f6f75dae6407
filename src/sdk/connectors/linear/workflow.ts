/** Chooses the workflow state for a status. */
import * as v from "valibot";
import { CapabilityNotSupportedError } from "../../errors.ts";
import type { CanonicalStatus } from "../../model.ts";
import { TEAM_STATES } from "./documents.ts";
import { NativeState, type StateChoices, statusOf } from "./map.ts";
import { connection, everyNode, type LinearRequests } from "./requests.ts";

const State = v.object({ ...NativeState.entries, position: v.number() });
type State = v.InferOutput<typeof State>;

const States = v.object({
  team: v.object({
    defaultIssueState: v.nullable(v.object({ id: v.string() })),
    states: connection(State),
  }),
});

interface TeamWorkflow {
  /** Preferred ones first. */
  readonly states: readonly State[];
  readonly defaultId: string | null;
}

/** Types of states by preference. Issues become `duplicate` by a relation only. */
const PREFERRED: readonly State["type"][] = [
  "unstarted",
  "backlog",
  "triage",
  "started",
  "completed",
  "canceled",
];

/** A team's workflow, read when first needed and again after a change. */
export class Workflow {
  readonly #requests: LinearRequests;
  readonly #teamId: string;
  readonly #choices: StateChoices;
  #workflow: TeamWorkflow | null = null;

  constructor(requests: LinearRequests, teamId: string, choices: StateChoices) {
    this.#requests = requests;
    this.#teamId = teamId;
    this.#choices = choices;
  }

  /**
   * The state's id for `status`.
   *
   * @throws CapabilityNotSupportedError listing the team's states when none fits
   */
  async stateFor(status: CanonicalStatus): Promise<string> {
    const cached = this.#workflow === null ? null : this.#pick(this.#workflow, status);
    if (cached !== null) return cached;
    const fresh = await this.#read();
    this.#workflow = fresh;
    const found = this.#pick(fresh, status);
    if (found !== null) return found;
    const states = fresh.states.map(({ name, type }) => `${name} (${type})`).join(", ");
    throw new CapabilityNotSupportedError(
      "linear",
      "statuses",
      `No workflow state of the Linear team means ${status}. It has: ${states}.`,
    );
  }

  invalidate(): void {
    this.#workflow = null;
  }

  #pick({ states, defaultId }: TeamWorkflow, status: CanonicalStatus): string | null {
    const chosen = this.#choices?.[status];
    const fits = states.filter((state) =>
      chosen === undefined ? statusOf(state, this.#choices) === status : state.id === chosen,
    );
    const [first] = fits;
    const start = fits.find(({ id, type }) => id === defaultId && type === first?.type);
    return (start ?? first)?.id ?? null;
  }

  async #read(): Promise<TeamWorkflow> {
    const read = async (after: string | null) =>
      (await this.#requests.request(TEAM_STATES, { id: this.#teamId, after }, States)).team;
    const team = await read(null);
    const found = await everyNode(team.states, async (after) => (await read(after)).states);
    const states = PREFERRED.flatMap((preferred) =>
      found.filter(({ type }) => type === preferred).toSorted((a, b) => a.position - b.position),
    );
    return { states, defaultId: team.defaultIssueState?.id ?? null };
  }
}
