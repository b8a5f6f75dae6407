/** Work that reports regularly that it is running, so that other processes can detect its death. */
import type { TeamScope } from "../access/team-scope.ts";

/** The interval between two beats, in milliseconds. */
const BEAT_MS = 2_000;

interface Heartbeat {
  readonly beat: () => Promise<unknown>;
  /** Receives the error of a beat; the next beat follows all the same. */
  readonly onFailure: (error: unknown) => void;
}

/** Runs `work` with a beat every 2 s; no beat is running when this settles. */
export async function withHeartbeat<T>({ beat, onFailure }: Heartbeat, work: () => Promise<T>): Promise<T> {
  let lastBeat: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    lastBeat = lastBeat.then(beat).catch(onFailure);
  }, BEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    await lastBeat;
  }
}

/** The instant until which a process that beats now counts as alive. */
export function leaseFrom(scope: Pick<TeamScope, "now">, milliseconds: number): string {
  return new Date(scope.now() + milliseconds).toISOString();
}
