export interface LogEntry {
  readonly level: "info" | "error";
  readonly message: string;
  readonly [fact: string]: unknown;
}

export type HostLog = (entry: LogEntry) => void;

export function describeFailure(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
