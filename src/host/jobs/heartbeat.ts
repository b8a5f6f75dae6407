/** Work that tells that it goes on, so that others can see when its process has died. */
import type { TeamScope } from "../access/team-scope.ts";

/** The interval between two signs of life of running work, in milliseconds. */
const BEAT = 2_000;

interface Heartbeat {
  readonly beat: () => Promise<unknown>;
  /** Hears why a beat failed; the next one follows all the same. */
  readonly onFailure: (error: unknown) => void;
}

/** Runs `work` with a beat every 2 s; no beat is under way any more when this settles. */
export async function withHeartbeat<T>({ beat, onFailure }: Heartbeat, work: () => Promise<T>): Promise<T> {
  let lastBeat: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    lastBeat = lastBeat.then(beat).catch(onFailure);
  }, BEAT);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    await lastBeat;
  }
}

/** The instant until which whoever beats now is believed to be alive. */
export function leaseFrom(scope: Pick<TeamScope, "now">, milliseconds: number): string {
  return new Date(scope.now() + milliseconds).toISOString();
}
