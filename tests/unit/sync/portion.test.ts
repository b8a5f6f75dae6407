import { describe, expect, test } from "bun:test";
import { MemoryRemote } from "../../../src/sdk/connectors/memory/remote.ts";
import { MemoryTracker } from "../../../src/sdk/connectors/memory/tracker.ts";
import type { CanonicalIssue, Page } from "../../../src/sdk/model.ts";
import { wireIssue } from "../../../src/sync/envelope.ts";
import { inSmallPages, Portion } from "../../../src/sync/portion.ts";

const remote = () => new MemoryRemote({ now: () => Date.parse("2026-03-01T09:00:00Z") });
const wire = (issue: CanonicalIssue) => wireIssue(issue.ref, issue, issue);

describe("a portion", () => {
  test("has room for what takes the place of something else", () => {
    const issue = wire(remote().add({ title: "Long", body: "x".repeat(1000) }));
    const portion = new Portion(2000);
    for (let time = 0; time < 5; time++) expect(portion.add("1", issue)).toBe(true);
    expect(portion.items).toEqual([issue]);
    expect(portion.add("2", issue)).toBe(false);
  });
});

describe("small pages", () => {
  /** Gives all issues whatever the limit, and counts how often it is asked. */
  class Generous extends MemoryTracker {
    asked = 0;

    override async listIssues(): Promise<Page<CanonicalIssue>> {
      this.asked += 1;
      return super.listIssues({});
    }
  }

  test.each([1, 3])("end where there is nothing to divide: %d issues", async (count) => {
    const crowded = remote();
    for (let index = 0; index < count; index++) crowded.add({ title: "Long", body: "x".repeat(1000) });
    const tracker = new Generous({ remote: crowded });
    expect((await inSmallPages(tracker, 100).listIssues({ limit: 4 })).items).toHaveLength(count);
    // An issue alone is not asked for again; 4, 2 and 1 are what somebody may be asked for who does not listen.
    expect(tracker.asked).toBe(count === 1 ? 1 : 3);
  });
});
