/** Refusals in Linear's words; see https://linear.app/developers/graphql and https://linear.app/developers/rate-limiting. */
import { GraphQLError } from "graphql";

/** What is sent is wrong. Linear answers it with HTTP 200. */
export function inputError(message: string, userPresentableMessage: string): GraphQLError {
  return new GraphQLError(message, {
    extensions: {
      type: "invalid input",
      code: "INPUT_ERROR",
      statusCode: 400,
      userError: true,
      userPresentableMessage,
    },
  });
}

/** There is no such entity, or it is none that the credential sees. */
export function notFound(entity: string): GraphQLError {
  return inputError(`Entity not found: ${entity}`, `Could not find referenced ${entity}.`);
}

export function forbidden(): GraphQLError {
  return new GraphQLError("Forbidden", {
    extensions: {
      type: "forbidden",
      code: "FORBIDDEN",
      statusCode: 403,
      userError: true,
      userPresentableMessage: "You do not have permission to change this.",
    },
  });
}

/** The body of an answer that is refused before anything is looked at. */
export function refusal(code: string, type: string, message: string, more: object = {}): object {
  return { errors: [{ message, extensions: { type, code, ...more } }] };
}
