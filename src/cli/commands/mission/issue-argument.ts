export const ISSUE = {
  type: "string",
  required: true,
  valueHint: "KEY",
  description: "Issue that the mission is about, such as PAY-7",
} as const;
