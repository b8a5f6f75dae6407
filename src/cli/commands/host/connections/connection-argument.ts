export const CONNECTION_ID = {
  type: "positional",
  required: true,
  description: "ID of the connection, or its provider if that has only one connection",
} as const;
