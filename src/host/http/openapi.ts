import { type ConversionConfig, toJsonSchema, toJsonSchemaDefs } from "@valibot/to-json-schema";
import type * as v from "valibot";
import * as protocol from "../../protocol.ts";

const { CALLS, NoContent, NoFields } = protocol;

type JsonObject = Readonly<Record<string, unknown>>;

const COMPONENT = "#/components/schemas/";
const TEAM_PARAMETER = { $ref: "#/components/parameters/team" };
const IDEMPOTENCY_KEY = { $ref: "#/components/parameters/idempotencyKey" };
const ERROR = { $ref: "#/components/responses/error" };

/** Every schema by its name: the exported ones, and those of a single row. */
const DEFINITIONS = definitions();
const SCHEMA_NAMES = new Map(Object.entries(DEFINITIONS).map(([name, schema]) => [schema, name]));

const CONVERSION: ConversionConfig = {
  target: "draft-2020-12",
  typeMode: "input",
  overrideRef: ({ referenceId }) => `${COMPONENT}${referenceId}`,
  // The check before the fields of an open object; `componentsOf` converts the fields.
  overrideSchema: ({ valibotSchema }) => (valibotSchema.type === "custom" ? { type: "object" } : null),
};

function definitions(): Readonly<Record<string, v.GenericSchema>> {
  const found = new Map<v.GenericSchema, string>();
  for (const [name, value] of Object.entries<unknown>(protocol)) if (isSchema(value)) found.set(value, name);
  for (const [name, { request, response }] of Object.entries<protocol.Call>(CALLS)) {
    const title = name.charAt(0).toUpperCase() + name.slice(1);
    if (!found.has(request)) found.set(request, `${title}Request`);
    if (!found.has(response)) found.set(response, `${title}Response`);
  }
  return Object.fromEntries([...found].map(([schema, name]) => [name, schema]));
}

function isSchema(value: unknown): value is v.GenericSchema {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "schema";
}

function refTo(schema: v.GenericSchema): JsonObject {
  return { $ref: `${COMPONENT}${SCHEMA_NAMES.get(schema)}` };
}

/** The schema of an open object's fields; null for other schemas. */
function openFields(schema: v.GenericSchema): v.GenericSchema | null {
  const [first, second] = "pipe" in schema && Array.isArray(schema.pipe) ? schema.pipe : [];
  return isSchema(first) && first.type === "custom" && isSchema(second) ? second : null;
}

function componentsOf(paths: JsonObject): JsonObject {
  const config = { ...CONVERSION, definitions: DEFINITIONS };
  const converted = toJsonSchemaDefs(DEFINITIONS, config);
  const components = new Map<string, unknown>();
  const visit = (part: unknown): void => {
    for (const [, name = ""] of JSON.stringify(part).matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      const schema = DEFINITIONS[name];
      if (schema === undefined || components.has(name)) continue;
      const fields = openFields(schema);
      const { $schema, $defs, ...open } = fields === null ? {} : toJsonSchema(fields, config);
      const component = fields === null ? converted[name] : open;
      components.set(name, component);
      visit(component);
    }
  };
  visit([paths, refTo(protocol.ErrorEnvelope)]);
  return Object.fromEntries([...components].sort(([one], [other]) => (one < other ? -1 : 1)));
}

function pathParameters(path: string): JsonObject[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
}

function queryParameters(schema: v.GenericSchema): JsonObject[] {
  const { properties = {}, required = [] } = toJsonSchema(schema, CONVERSION);
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: "query",
    required: required.includes(name),
    schema: property,
  }));
}

function jsonContent(schema: unknown): JsonObject {
  return { "application/json": { schema } };
}

function operationOf(name: string, call: protocol.Call): JsonObject {
  const { method, path, summary, request, repeat, caller, job } = call;
  const isTeams = caller === "member" || caller === "owner";
  const responses = [
    call,
    ...Object.values<protocol.Call>(CALLS).filter(({ variantOf }) => variantOf === name),
  ].map(({ response }) => refTo(response));
  const hasBody = method !== "GET" && request !== NoFields;
  return {
    operationId: name,
    summary,
    ...(caller === "owner" && { description: "Only for owners of the team." }),
    ...(caller === "anyone" && { security: [] }),
    parameters: [
      ...pathParameters(path),
      ...(method === "GET" ? queryParameters(request) : []),
      ...(isTeams ? [TEAM_PARAMETER] : []),
      ...(repeat === "keyed" ? [IDEMPOTENCY_KEY] : []),
    ],
    ...(hasBody && { requestBody: { required: true, content: jsonContent(refTo(request)) } }),
    responses: {
      ...(call.response === NoContent
        ? { 204: { description: "Done." } }
        : {
            200: {
              description: "The result.",
              content: jsonContent(responses.length === 1 ? responses[0] : { anyOf: responses }),
            },
          }),
      ...(job !== undefined && {
        202: {
          description: "The operation that will have the result.",
          content: jsonContent(refTo(protocol.OperationAccepted)),
        },
      }),
      default: ERROR,
    },
  };
}

function pathsOf(): JsonObject {
  const paths: Record<string, JsonObject> = {};
  for (const [name, call] of Object.entries<protocol.Call>(CALLS)) {
    if (call.variantOf !== undefined) continue;
    paths[call.path] = { ...paths[call.path], [call.method.toLowerCase()]: operationOf(name, call) };
  }
  return paths;
}

const PATHS = pathsOf();

export const OPENAPI: JsonObject = {
  openapi: "3.1.0",
  info: {
    title: "tracker control plane",
    version: "1",
    description: "A path is served with and without its last slash.",
    license: { name: "MIT", identifier: "MIT" },
  },
  security: [{ token: [] }],
  paths: PATHS,
  components: {
    securitySchemes: { token: { type: "http", scheme: "bearer" } },
    parameters: {
      team: {
        name: "X-Team-Slug",
        in: "header",
        description: "The team of the token.",
        schema: { type: "string" },
      },
      idempotencyKey: {
        name: "Idempotency-Key",
        in: "header",
        description: "The same on every retry of one request: the request has its effect once.",
        schema: { type: "string", minLength: 1, maxLength: 200 },
      },
    },
    responses: {
      error: {
        description: "The error envelope.",
        content: jsonContent(refTo(protocol.ErrorEnvelope)),
      },
    },
    schemas: componentsOf(PATHS),
  },
};
