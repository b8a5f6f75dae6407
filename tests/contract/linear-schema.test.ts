/**
 * What the connector asks of Linear exists there, and the simulator promises
 * nothing that does not: checked against the types that Linear's official SDK
 * ships, and against a published schema where one is at hand.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  buildSchema,
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLNamedType,
  type GraphQLSchema,
  type GraphQLType,
  isEnumType,
  isInputObjectType,
  isIntrospectionType,
  isListType,
  isNonNullType,
  isObjectType,
  isRequiredArgument,
  isRequiredInputField,
  isScalarType,
  isUnionType,
  parse,
  validate,
} from "graphql";
import * as documents from "../../src/sdk/connectors/linear/documents.ts";
import { complexityOf } from "../simulators/linear/complexity.ts";
import { SCHEMA } from "../simulators/linear/schema.ts";
import { LATEST_SCHEMA, SDK_SCHEMA } from "../simulators/linear/schema-sdk.ts";

const DOCUMENTS = Object.entries(documents);
const simulated = buildSchema(SCHEMA + SDK_SCHEMA + LATEST_SCHEMA);

test.each(DOCUMENTS)("%s is valid by the simulator's schema", (_, document) => {
  expect(problemsOf(simulated, document)).toEqual([]);
});

test.each(DOCUMENTS)("%s needs nothing but what the simulator has a meaning for", (_, document) => {
  expect(problemsOf(buildSchema(SCHEMA), document)).toEqual([]);
});

test("no document costs more than a third of what Linear allows", () => {
  const costs = DOCUMENTS.map(([, document]) => complexityOf(simulated, parse(document), { last: 50 }));
  expect(Math.max(...costs)).toBeLessThan(10_000 / 3);
});

describe("the types of the official SDK", () => {
  const sdk = sdkTypes();

  test("have every type, field, argument and value of the simulator's schema, as they are there", () => {
    expect(sdk.size).toBeGreaterThan(1000);
    expect(typesOf(simulated).flatMap((type) => missingIn(sdk, type))).toEqual([]);
  });

  test("tell a field that is not there, one of another type, and one that may be null", () => {
    const wrong = buildSchema(`
      type Query { issue(id: String, key: String): Issue! }
      type Issue { id: String! phase: String title: String }
      enum PaginationOrderBy { phase }
    `);
    expect(typesOf(wrong).flatMap((type) => missingIn(sdk, type))).toEqual([
      "Query.issue(id: InputMaybe<Scalars[String]>)",
      "Query.issue(key: InputMaybe<Scalars[String]>)",
      "Issue.id: Scalars[String]",
      "Issue.phase: Maybe<Scalars[String]>",
      "Issue.title: Maybe<Scalars[String]>",
      "PaginationOrderBy.phase",
    ]);
  });
});

test("a schema that is not a part of another one is told, thing by thing", () => {
  const own = buildSchema(`
    type Query { issue(id: String!, key: String): Issue  gone: Int }
    type Issue { id: ID!  title: String }
    enum Order { createdAt dueDate }
    input Create { title: String }
  `);
  const other = buildSchema(`
    type Query { issue(id: String!, team: String!): Issue }
    type Issue { id: ID!  title: String! }
    enum Order { createdAt updatedAt }
    input Create { title: String  team: String! }
  `);
  expect(typesOf(own).flatMap((type) => differences(type, other.getType(type.name)))).toEqual([
    "Query.issue(key)",
    "Query.issue(team)",
    "Query.gone: undefined",
    "Issue.title: String!",
    "Order.dueDate",
    "Create.team",
  ]);
});

const published = process.env.TRACKER_LINEAR_SCHEMA;

if (published === undefined) {
  test.skip("NOT RUN: the published schema, because TRACKER_LINEAR_SCHEMA names no file of it", () => {});
} else {
  describe("the published schema", () => {
    const schema = buildSchema(readFileSync(published, "utf8"));

    test.each(DOCUMENTS)("has what %s asks for", (_, document) => {
      expect(problemsOf(schema, document)).toEqual([]);
    });

    test("has every type, field, argument and value of the simulator's schema, as they are there", () => {
      const own = buildSchema(SCHEMA + SDK_SCHEMA);
      expect(typesOf(own).flatMap((type) => differences(type, schema.getType(type.name)))).toEqual([]);
    });
  });
}

function problemsOf(schema: GraphQLSchema, document: string): readonly string[] {
  return validate(schema, parse(document)).map(({ message }) => message);
}

/** The types of a schema that are its own. */
function typesOf(schema: GraphQLSchema): readonly GraphQLNamedType[] {
  return Object.values(schema.getTypeMap()).filter(
    (type) => !isIntrospectionType(type) && !["Boolean", "Float", "ID", "Int", "String"].includes(type.name),
  );
}

type AnyField = GraphQLField<unknown, unknown> | GraphQLInputField;

function fieldsOf(type: GraphQLNamedType): readonly AnyField[] {
  return isObjectType(type) || isInputObjectType(type) ? Object.values(type.getFields()) : [];
}

function argumentsOf(field: AnyField): readonly GraphQLArgument[] {
  return "args" in field ? field.args : [];
}

/** What `own` has that `other` does not have in the same way, and what `other` demands besides. */
function differences(own: GraphQLNamedType, other: GraphQLNamedType | undefined): readonly string[] {
  if (other === undefined || own.constructor !== other.constructor) return [own.name];
  const found: string[] = [];
  const theirs = new Map(fieldsOf(other).map((field) => [field.name, field]));
  for (const field of fieldsOf(own)) {
    const name = `${own.name}.${field.name}`;
    const same = theirs.get(field.name);
    if (String(same?.type) !== String(field.type)) found.push(`${name}: ${same?.type}`);
    const allowed = new Map(same === undefined ? [] : argumentsOf(same).map((one) => [one.name, one]));
    for (const { name: argument, type } of argumentsOf(field)) {
      if (String(allowed.get(argument)?.type) !== String(type)) found.push(`${name}(${argument})`);
      allowed.delete(argument);
    }
    for (const left of allowed.values()) if (isRequiredArgument(left)) found.push(`${name}(${left.name})`);
  }
  if (isInputObjectType(other)) {
    const known = new Set(fieldsOf(own).map(({ name }) => name));
    for (const field of Object.values(other.getFields())) {
      if (isRequiredInputField(field) && !known.has(field.name)) found.push(`${own.name}.${field.name}`);
    }
  }
  const left = new Set(valuesOf(own)).difference(new Set(valuesOf(other)));
  return [...found, ...[...left].map((value) => `${own.name}.${value}`)];
}

/** Values of an enum, members of a union. */
function valuesOf(type: GraphQLNamedType): readonly string[] {
  if (isEnumType(type)) return type.getValues().map(({ name }) => name);
  return isUnionType(type) ? type.getTypes().map(({ name }) => name) : [];
}

/** What a declaration of the SDK has: types by field, or the values of an enum. */
type Declared = ReadonlyMap<string, string>;

/**
 * The SDK's declarations that stem from Linear's schema: a type per type, one
 * more per field with arguments, an enum per enum. Their names are in a case of
 * their own (`IdComparator`), so that names are compared in lower case.
 */
function sdkTypes(): ReadonlyMap<string, Declared> {
  const folder = dirname(Bun.resolveSync("@linear/sdk", import.meta.dir));
  const types = new Map<string, Declared>();
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".d.mts"))) {
    const text = readFileSync(join(folder, file), "utf8").replace(/\/\*\*.*?\*\//gs, "");
    for (const [, name = "", body = ""] of text.matchAll(/^type (\w+) = (?:\w+ & )*\{\n(.*?)^\};$/gms)) {
      const members = body.matchAll(/^ {2}(\w+\??): (.+);$/gm);
      types.set(
        name.toLowerCase(),
        new Map([...members].map(([, key = "", type = ""]) => [key, plain(type)])),
      );
    }
    for (const [, name = "", body = ""] of text.matchAll(/^declare enum (\w+) \{\n(.*?)^\}$/gms)) {
      const values = [...body.matchAll(/= "(\w+)"/g)].map(([, value = ""]) => value);
      types.set(name.toLowerCase(), new Map(values.map((value) => [value, value])));
    }
    for (const [, name = "", body = ""] of text.matchAll(/^type (\w+) = ([\w |\n]+);$/gm)) {
      types.set(name.toLowerCase(), new Map(body.split("|").map((member) => [member.trim(), member.trim()])));
    }
  }
  return types;
}

function plain(type: string): string {
  return type.replace(/["\s]/g, "").toLowerCase();
}

/** What the SDK does not have of a type, or has otherwise. */
function missingIn(sdk: ReadonlyMap<string, Declared>, type: GraphQLNamedType): readonly string[] {
  const membersOf = (name: string) => sdk.get(name.toLowerCase());
  if (isScalarType(type)) return membersOf("Scalars")?.has(type.name) ? [] : [type.name];
  const declared = membersOf(type.name);
  if (declared === undefined) return [type.name];
  const maybe = isInputObjectType(type) ? "InputMaybe" : "Maybe";
  return [
    ...valuesOf(type).flatMap((value) => (declared.has(value) ? [] : [`${type.name}.${value}`])),
    ...fieldsOf(type).flatMap((field) => {
      const name = `${type.name}.${field.name}`;
      const of = membersOf(`${type.name}${field.name}Args`);
      const wrong = argumentsOf(field).filter((one) => !has(of, one.name, one.type, "InputMaybe"));
      return [
        ...(has(declared, field.name, field.type, maybe) ? [] : [`${name}: ${written(field.type, maybe)}`]),
        ...wrong.map((one) => `${name}(${one.name}: ${written(one.type, "InputMaybe")})`),
      ];
    }),
  ];
}

function has(declared: Declared | undefined, name: string, type: GraphQLType, maybe: string): boolean {
  const key = isNonNullType(type) ? name : `${name}?`;
  return declared?.get(key) === plain(written(type, maybe));
}

/** A type as the SDK writes it. */
function written(type: GraphQLType, maybe: string): string {
  if (!isNonNullType(type)) return `${maybe}<${bare(type, maybe)}>`;
  return bare(type.ofType, maybe);
}

function bare(type: GraphQLType, maybe: string): string {
  if (isListType(type)) return `Array<${written(type.ofType, maybe)}>`;
  return isScalarType(type) ? `Scalars[${type.name}]` : String(type);
}
