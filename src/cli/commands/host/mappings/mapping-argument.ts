export const MAPPING_REF = {
  type: "positional",
  required: true,
  description: "Binding reference, as `map list` shows it",
} as const;
