/** Linear's GraphQL API on loopback, executed by graphql-js over the simulator's own schema. */
import {
  buildSchema,
  defaultFieldResolver,
  execute,
  GraphQLError,
  type GraphQLFieldResolver,
  type GraphQLOutputType,
  isEnumType,
  isListType,
  isNonNullType,
  isScalarType,
  parse,
  validate,
} from "graphql";
import * as v from "valibot";
import { type SimulatedAnswer, type SimulatedRequest, Simulator } from "../server.ts";
import { complexityOf } from "./complexity.ts";
import { refusal } from "./errors.ts";
import { rootOf } from "./resolvers.ts";
import { SCHEMA } from "./schema.ts";
import { LATEST_SCHEMA, SDK_SCHEMA } from "./schema-sdk.ts";
import { type LinearSeed, LinearStore } from "./store.ts";

export type { TeamSeed } from "./store.ts";

const MOST_COMPLEX = 10_000;

const schema = buildSchema(SCHEMA + SDK_SCHEMA + LATEST_SCHEMA);

const Call = v.object({
  query: v.string(),
  variables: v.nullish(v.record(v.string(), v.unknown())),
  operationName: v.nullish(v.string()),
});

/** An organization, and the credential that it is seen with. */
export interface SimulatedWorkspace extends LinearSeed {
  /** The simulator's token by default. */
  readonly token?: string;
}

interface LinearSimulatorOptions {
  /** A personal key, `lin_api_…`, or an OAuth token. */
  readonly token?: string;
  readonly workspaces?: readonly SimulatedWorkspace[];
}

/** How a budget that is used up is told. */
export interface Limit {
  readonly status: 200 | 400 | 429;
  /** Which one it is. */
  readonly budget: "requests" | "complexity" | "endpoint-requests";
  /** Until it is there again. */
  readonly seconds: number;
}

/** Linear with one organization per token. */
export class LinearSimulator extends Simulator {
  readonly token: string;
  /** Every write is refused. */
  readOnly = false;
  /** Members of inputs that writes take and do not apply. */
  readonly ignored = new Set<string>();
  readonly #stores = new Map<string, LinearStore>();

  constructor({ token = "lin_api_simulated", workspaces = [DEFAULT] }: LinearSimulatorOptions = {}) {
    super();
    this.token = token;
    for (const { token: own = token, ...seed } of workspaces) {
      this.#stores.set(own, new LinearStore(seed, () => this.now()));
    }
  }

  /** What the token sees, the simulator's own by default. */
  store(token = this.token): LinearStore {
    const store = this.#stores.get(token);
    if (store === undefined) throw new Error("there is no workspace of that token");
    return store;
  }

  /** Lets the next request that `hits` be refused for the lack of a budget. */
  limit({ status, budget, seconds }: Limit, hits?: (request: SimulatedRequest) => boolean): void {
    const reset = String(this.now() + seconds * 1000);
    const headers = {
      ...this.#headers(1),
      [`x-ratelimit-${budget}-remaining`]: "0",
      [`x-ratelimit-${budget}-reset`]: reset,
      ...(budget === "endpoint-requests" && { "x-ratelimit-endpoint-name": "issues" }),
    };
    const body = refusal("RATELIMITED", "ratelimited", "Rate limit exceeded", { statusCode: 429 });
    this.fail({ kind: "answer", status, headers, body }, hits);
  }

  protected async answer(request: SimulatedRequest): Promise<SimulatedAnswer> {
    if (request.path !== "/graphql" || request.method !== "POST") return { status: 404, body: "Not Found" };
    const store = this.#authenticated(request.headers.get("authorization"));
    if (!(store instanceof LinearStore)) return store;
    const call = v.safeParse(Call, request.body);
    if (!call.success) return this.#refuse("BAD_REQUEST", "A query is needed.");
    return this.#execute(store, call.output);
  }

  async #execute(
    store: LinearStore,
    { query, variables, operationName }: v.InferOutput<typeof Call>,
  ): Promise<SimulatedAnswer> {
    const document = parsed(query);
    if (document instanceof GraphQLError) return this.#refuse("GRAPHQL_PARSE_FAILED", document.message);
    const [problem] = validate(schema, document);
    if (problem !== undefined) return this.#refuse("GRAPHQL_VALIDATION_FAILED", problem.message);
    const complexity = complexityOf(schema, document, variables ?? {});
    if (complexity > MOST_COMPLEX) {
      return this.#refuse("INPUT_ERROR", `Query too complex: ${complexity} of ${MOST_COMPLEX}.`);
    }
    const result = await execute({
      schema,
      document,
      rootValue: rootOf(store, this),
      variableValues: variables ?? {},
      operationName: operationName ?? undefined,
      fieldResolver: valueOrNeutral,
    });
    // Variables that do not fit the schema are refused as a whole.
    const [first] = result.errors ?? [];
    if (first !== undefined && first.path === undefined) return this.#refuse("BAD_USER_INPUT", first.message);
    for (const { originalError, message } of result.errors ?? []) {
      if (originalError && !(originalError instanceof GraphQLError))
        throw new Error(message, { cause: originalError });
    }
    return { status: 200, headers: this.#headers(complexity), body: result };
  }

  /** Personal keys are sent as they are, OAuth tokens as bearer tokens. */
  #authenticated(authorization: string | null): LinearStore | SimulatedAnswer {
    const bearer = /^Bearer (.+)$/i.exec(authorization ?? "")?.[1];
    const token = bearer ?? authorization ?? "";
    if (bearer?.startsWith("lin_api_")) {
      return this.#refuse(
        "AUTHENTICATION_ERROR",
        "It looks like you're trying to use an API key as a Bearer token. Remove the Bearer prefix.",
      );
    }
    const store = bearer === undefined && !token.startsWith("lin_api_") ? undefined : this.#stores.get(token);
    if (store !== undefined) return store;
    return {
      status: 401,
      headers: this.#headers(0),
      body: refusal(
        "AUTHENTICATION_ERROR",
        "authentication error",
        "Authentication required, not authenticated",
      ),
    };
  }

  #refuse(code: string, message: string): SimulatedAnswer {
    const type = code === "AUTHENTICATION_ERROR" ? "authentication error" : "graphql error";
    return {
      status: 400,
      headers: this.#headers(0),
      body: refusal(code, type, message, { statusCode: 400 }),
    };
  }

  /** Every answer tells what is left; resets are epoch milliseconds. */
  #headers(complexity: number): Record<string, string> {
    const reset = String(this.now() + 60 * 60_000);
    return {
      "x-ratelimit-requests-limit": "2500",
      "x-ratelimit-requests-remaining": "2400",
      "x-ratelimit-requests-reset": reset,
      "x-complexity": String(complexity),
      "x-ratelimit-complexity-limit": "3000000",
      "x-ratelimit-complexity-remaining": "2900000",
      "x-ratelimit-complexity-reset": reset,
    };
  }
}

const DEFAULT: SimulatedWorkspace = {
  name: "Acme",
  urlKey: "acme",
  users: [{ displayName: "ada" }, { displayName: "grace" }],
  teams: [{ key: "ENG", name: "Engineering" }],
};

function parsed(query: string) {
  try {
    return parse(query);
  } catch (error) {
    if (error instanceof GraphQLError) return error;
    throw error;
  }
}

/** What the simulator knows nothing of is neutral. */
const valueOrNeutral: GraphQLFieldResolver<unknown, unknown> = (source, args, context, info) =>
  typeof source === "object" && source !== null && info.fieldName in source
    ? defaultFieldResolver(source, args, context, info)
    : neutral(info.returnType);

function neutral(type: GraphQLOutputType): unknown {
  if (!isNonNullType(type)) return null;
  const inner = type.ofType;
  if (isListType(inner)) return [];
  if (isEnumType(inner)) return inner.getValues()[0]?.value;
  if (!isScalarType(inner)) return {};
  switch (inner.name) {
    case "Int":
    case "Float":
      return 0;
    case "Boolean":
      return false;
    case "DateTime":
      return "2026-01-01T00:00:00.000Z";
    case "JSONObject":
      return {};
    default:
      return "";
  }
}
