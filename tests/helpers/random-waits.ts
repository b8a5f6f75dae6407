import { afterAll, beforeAll, spyOn } from "bun:test";

/** Lets no time pass before a request is sent again in the tests of this file: the wait is a random part of a limit. */
export function withoutRandomWaits(): void {
  let random: { mockRestore(): void };
  beforeAll(() => {
    random = spyOn(Math, "random").mockReturnValue(0);
  });
  afterAll(() => random.mockRestore());
}
