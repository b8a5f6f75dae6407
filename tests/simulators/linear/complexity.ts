/**
 * What a query costs: an object 1, a property 0.1, a connection its page size
 * times what its nodes cost; rounded up. See https://linear.app/developers/rate-limiting.
 */
import {
  type DocumentNode,
  type GraphQLSchema,
  getNamedType,
  isCompositeType,
  isObjectType,
  type SelectionSetNode,
  valueFromASTUntyped,
} from "graphql";

const DEFAULT_PAGE = 50;

export function complexityOf(
  schema: GraphQLSchema,
  document: DocumentNode,
  variables: Readonly<Record<string, unknown>>,
): number {
  const fragments = new Map(
    document.definitions.flatMap((node) =>
      node.kind === "FragmentDefinition" ? [[node.name.value, node] as const] : [],
    ),
  );

  const cost = (set: SelectionSetNode, typeName: string, pageSize: number): number => {
    const type = schema.getType(typeName);
    let sum = 0;
    for (const node of set.selections) {
      if (node.kind === "FragmentSpread") {
        const fragment = fragments.get(node.name.value);
        if (fragment !== undefined) sum += cost(fragment.selectionSet, typeName, pageSize);
      } else if (node.kind === "InlineFragment") {
        sum += cost(node.selectionSet, node.typeCondition?.name.value ?? typeName, pageSize);
      } else {
        const field = isObjectType(type) ? type.getFields()[node.name.value] : undefined;
        const named = field === undefined ? undefined : getNamedType(field.type);
        if (named === undefined || node.selectionSet === undefined || !isCompositeType(named)) {
          sum += 0.1;
          continue;
        }
        const size = (node.arguments ?? []).flatMap(({ name, value }) =>
          ["first", "last"].includes(name.value) ? (valueFromASTUntyped(value, variables) ?? []) : [],
        );
        const inner = cost(node.selectionSet, named.name, Number(size[0] ?? DEFAULT_PAGE));
        sum += (1 + inner) * (node.name.value === "nodes" ? pageSize : 1);
      }
    }
    return sum;
  };

  const operation = document.definitions.find((node) => node.kind === "OperationDefinition");
  if (operation === undefined) return 0;
  const root = operation.operation === "mutation" ? "Mutation" : "Query";
  return Math.ceil(cost(operation.selectionSet, root, 1));
}
