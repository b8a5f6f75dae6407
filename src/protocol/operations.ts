/** Operations: the name of jobs on the wire. */
import * as v from "valibot";
import { ErrorEnvelope } from "./errors.ts";
import { filled, natural, nullable, text } from "./schema.ts";

export const OperationAccepted = v.object({ operation_id: filled, status: text });
export type OperationAccepted = v.InferOutput<typeof OperationAccepted>;

export const OperationResult = v.looseObject({
  operation_id: filled,
  status: v.picklist(["pending", "running", "completed", "failed"]),
  progress: v.nullish(v.object({ done: natural, total: nullable(natural) }), null),
  result: v.nullish(v.unknown(), null),
  error: nullable(ErrorEnvelope),
});
export type OperationResult = v.InferOutput<typeof OperationResult>;
