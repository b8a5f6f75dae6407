import type { BoundTracker } from "../../../service/bindings.ts";
import { UsageError } from "../../../shared/errors.ts";
import { isLocal, providerName } from "../../../shared/providers.ts";
import { limitOf } from "../../argv.ts";

/** The most issues that one page of a pull, or the pull of a run, has. */
export const MAX_PAGE = 10_000;

/** Issues of one page by default. */
export const DEFAULT_PAGE = 100;

/**
 * @param given value of `--limit`
 * @throws UsageError for a bad number, and for trackers without pages
 */
export function pageLimit({ provider }: Pick<BoundTracker, "provider">, given: string | undefined): number {
  if (given === undefined) return DEFAULT_PAGE;
  if (!isLocal(provider)) return limitOf(given, MAX_PAGE);
  throw new UsageError(
    `--limit is for hosted providers: ${providerName(provider)} returns all issues at once.`,
  );
}
