/** What every connector keeps, run over each of them. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as v from "valibot";
import type { Capabilities, CapabilityFlag } from "../../src/sdk/capabilities.ts";
import type { ChangeOptions, IssueQuery, TrackerConnector } from "../../src/sdk/connector.ts";
import {
  CapabilityNotSupportedError,
  IssueNotFoundError,
  ScopeViolationError,
} from "../../src/sdk/errors.ts";
import {
  BLANK,
  CanonicalComment,
  CanonicalIssue,
  CanonicalStatus,
  type ExternalRef,
  type IssueFields,
  type IssuePatch,
  identityOf,
  type Page,
  TrackerEvent,
} from "../../src/sdk/model.ts";
import { failureOf } from "./failure.ts";

/** What every tracker can carry; subjects add what theirs can beside. */
export const SAMPLE: IssueFields = {
  ...BLANK,
  title: "Sample",
  body: "Two lines\nof text",
  labels: ["payments"],
};

/** A connector to a fresh, empty resource, and hands on the other side of it. */
export interface ConnectorSubject {
  readonly connector: TrackerConnector;
  /** An issue that the provider can carry whole: no links, no parent, nobody assigned. */
  readonly sample: IssueFields;
  /** Other values than the sample's for what can be changed; of `customFields` at least one member. */
  readonly changed: Pick<IssueFields, "labels" | "issueType" | "priority" | "customFields">;
  /** Somebody whom issues can be assigned to. */
  readonly people: readonly [string, string];
  /** An issue that is not there. */
  readonly absent: ExternalRef;
  /** What is older than this instant is another test's; null where the resource is the test's own. */
  readonly from: string | null;
  /** What people call the issue. */
  keyOf(ref: ExternalRef): string;
  /** Whether the connector can tell events. */
  readonly events: "listed" | "refused";
  /** How many requests reached the provider so far. */
  requests(): number;
  /** Moves the provider's clock on, so that the next change is later than the last. */
  tick(): void | Promise<void>;
  /** Somebody else edits an issue. */
  edit(ref: ExternalRef, patch: Pick<IssuePatch, "title">): Promise<void>;
  /** Somebody else deletes an issue. */
  remove(ref: ExternalRef): Promise<void>;
  close(): Promise<void>;
}

/** Declares the contract's tests for one connector; `make` runs once per test. */
export function describeConnector(name: string, make: () => Promise<ConnectorSubject>): void {
  describe(name, () => {
    let subject: ConnectorSubject;
    let made: ConnectorSubject | null = null;
    let connector: TrackerConnector;
    let keys = 0;

    beforeEach(async () => {
      made = null;
      made = await make();
      subject = made;
      connector = subject.connector;
    });
    afterEach(() => made?.close());

    const key = () => ({ idempotencyKey: `key-${++keys}` });
    const create = async (title: string, fields: Partial<IssueFields> = {}) => {
      await subject.tick();
      return connector.createIssue({ ...subject.sample, title, ...fields }, key());
    };
    const own = (query: IssueQuery): IssueQuery => ({
      ...(subject.from !== null && { updatedSince: subject.from }),
      ...query,
    });
    const list = (query: IssueQuery = {}) =>
      everyPage((cursor) => connector.listIssues({ ...own(query), ...(cursor !== null && { cursor }) }));
    const titles = async (query: IssueQuery) => (await list(query)).map(({ title }) => title);

    /** The call is refused for the lack of `capability`, and nothing was sent. */
    async function expectRefused(capability: keyof Capabilities, call: () => Promise<unknown>) {
      expect(await unsent(call)).toMatchObject({ capability });
    }
    async function unsent(call: () => Promise<unknown>): Promise<unknown> {
      const before = subject.requests();
      const error = await failureOf(call);
      expect(subject.requests()).toBe(before);
      return error;
    }
    const can = (capability: CapabilityFlag) => connector.capabilities()[capability];

    describe("create", () => {
      test("answers with the issue, as it is read afterwards", async () => {
        const issue = await create("Refund twice");
        expect(v.parse(CanonicalIssue, issue)).toEqual(issue);
        expect(issue).toMatchObject({ ...subject.sample, title: "Refund twice" });
        expect(issue.ref).toMatchObject({ system: connector.provider, workspace: connector.workspace });
        expect(await connector.getIssue(issue.ref)).toEqual(issue);
      });

      test("with one key makes one issue, and the key finds it", async () => {
        const options = key();
        expect(await connector.findCreated(options.idempotencyKey)).toBeNull();
        const first = await connector.createIssue({ ...subject.sample, title: "Once" }, options);
        const second = await connector.createIssue({ ...subject.sample, title: "Once" }, options);
        expect(second.ref).toEqual(first.ref);
        expect(await titles({})).toEqual(["Once"]);
        expect((await connector.findCreated(options.idempotencyKey))?.ref).toEqual(first.ref);
      });

      test("with a key that was never sent looks for nothing first", async () => {
        await create("Other");
        const fields = { ...subject.sample, title: "Fresh" };
        const issue = await connector.createIssue(fields, { ...key(), lookUp: "never" });
        expect(issue).toMatchObject({ title: "Fresh" });
        expect(await connector.getIssue(issue.ref)).toEqual(issue);
      });

      test("refuses fields that are not an issue's before any request", async () => {
        const error = await unsent(() => connector.createIssue({ ...subject.sample, title: "" }, key()));
        expect(error).toMatchObject({ failureClass: "invalid", retryable: false });
      });
    });

    describe("listing", () => {
      test("gives every issue once, oldest change first, over pages", async () => {
        const created = [];
        for (const title of ["a", "b", "c", "d", "e"]) created.push(await create(title));
        const [first] = created;
        if (first === undefined) throw new Error("nothing was created");
        await subject.tick();
        await subject.edit(first.ref, { title: "a, later" });
        const pages = await pagesOf((cursor) =>
          connector.listIssues({ ...own({ limit: 2 }), ...(cursor !== null && { cursor }) }),
        );
        expect(pages.length).toBeGreaterThanOrEqual(3);
        const issues = pages.flatMap(({ items }) => items);
        expect(issues.map(({ title }) => title)).toEqual(["b", "c", "d", "e", "a, later"]);
        for (const issue of issues) expect(issue).toEqual(await connector.getIssue(issue.ref));
      });

      test("is empty where there is nothing", async () => {
        expect(await connector.listIssues(own({}))).toEqual({ items: [], nextCursor: null });
      });

      test("keeps to the window: from its start, up to but without its end", async () => {
        await create("before");
        const first = await create("first");
        await create("second");
        const end = await create("end");
        const window = { updatedSince: first.updatedAt, until: end.updatedAt };
        expect(await titles(window)).toEqual(["first", "second"]);
        expect(await titles({ ...window, limit: 1 })).toEqual(["first", "second"]);
      });

      test("skips nobody when issues change between pages", async () => {
        const issues = [];
        for (const title of ["a", "b", "c", "d"]) issues.push(await create(title));
        const [a, , c] = issues;
        if (a === undefined || c === undefined) throw new Error("nothing was created");
        const seen = new Set<string>();
        let cursor: string | null = null;
        for (let page = 0; page === 0 || cursor !== null; page++) {
          const { items, nextCursor }: Page<CanonicalIssue> = await connector.listIssues({
            ...own({ limit: 1 }),
            ...(cursor !== null && { cursor }),
          });
          for (const { ref } of items) seen.add(identityOf(ref));
          cursor = nextCursor;
          await subject.tick();
          if (page === 0) await subject.edit(a.ref, { title: "a, edited when it was read already" });
          if (page === 1) await subject.edit(c.ref, { title: "c, edited when it was not read yet" });
        }
        expect([...seen].sort()).toEqual(issues.map(({ ref }) => identityOf(ref)).sort());
      });

      test("refuses a cursor that it did not give", async () => {
        await create("a");
        const error = await failureOf(() => connector.listIssues({ cursor: "no cursor at all" }));
        expect(error).toMatchObject({ failureClass: "invalid" });
      });

      test.each([0, 1001, 1.5])("refuses a limit of %p before any request", async (limit) => {
        expect(await unsent(() => connector.listIssues({ limit }))).toMatchObject({
          failureClass: "invalid",
        });
      });

      test("refuses a filter that it does not know before any request", async () => {
        const filters = { phase_of_the_moon: "full" };
        expect(await unsent(() => connector.listIssues({ filters }))).toMatchObject({
          failureClass: "invalid",
        });
      });

      test("leaves out what somebody deleted", async () => {
        const gone = await create("gone");
        await create("here");
        await subject.remove(gone.ref);
        expect(await titles({})).toEqual(["here"]);
        expect(await failureOf(() => connector.getIssue(gone.ref))).toBeInstanceOf(IssueNotFoundError);
      });
    });

    describe("update", () => {
      test("changes the fields of the patch and no other", async () => {
        const before = await create("Old");
        await subject.tick();
        const { labels } = subject.changed;
        const after = await connector.updateIssue(before.ref, { title: "New", labels }, key());
        const { updatedAt, revision, fieldTimes, raw, ...rest } = after;
        expect(before).toMatchObject({ ...rest, title: "Old", labels: subject.sample.labels });
        expect(rest).toMatchObject({ title: "New", labels });
        expect(updatedAt > before.updatedAt).toBe(true);
        if (before.revision !== null) expect(revision).not.toBe(before.revision);
        expect(await connector.getIssue(before.ref)).toEqual({
          ...rest,
          updatedAt,
          revision,
          raw,
          ...(fieldTimes && { fieldTimes }),
        });
      });

      test("with the issue as last read asks for no more, and returns it as it is read afterwards", async () => {
        const before = await create("Old");
        const requestsOf = async (title: string, options: ChangeOptions) => {
          await subject.tick();
          const asked = subject.requests();
          const after = await connector.updateIssue(before.ref, { title }, { ...key(), ...options });
          const requests = subject.requests() - asked;
          expect(await connector.getIssue(before.ref)).toEqual(after);
          return requests;
        };
        const short = await requestsOf("New", { current: before });
        expect(await requestsOf("Newer", {})).toBeGreaterThanOrEqual(short);
      });

      test("may leave the reading back to the write that follows", async () => {
        const before = await create("Old");
        const title = { readBack: "later", current: before } as const;
        const current = await connector.updateIssue(before.ref, { title: "New" }, { ...key(), ...title });
        expect(current).toMatchObject({ title: "New", ref: before.ref });
        const after = await connector.transitionIssue(before.ref, "in_progress", { ...key(), current }).catch(
          // A tracker without that status keeps the title all the same.
          () => connector.getIssue(before.ref),
        );
        expect(after.title).toBe("New");
        expect(await connector.getIssue(before.ref)).toEqual(after);
      });

      test("keeps a label that somebody else added since the caller looked", async () => {
        const before = await create("Labeled");
        const [theirs] = subject.changed.labels;
        // Trackers whose labels cannot be written have none to keep.
        if (theirs === undefined) return;
        await connector.updateIssue(before.ref, { labels: [...before.labels, theirs] }, key());
        const options = { ...key(), seen: before };
        await connector.updateIssue(before.ref, { title: "Renamed", labels: [] }, options);
        expect(await connector.getIssue(before.ref)).toMatchObject({ title: "Renamed", labels: [theirs] });
      });

      test("sent twice with one key is one update", async () => {
        const { ref } = await create("Old");
        const options = key();
        const first = await connector.updateIssue(ref, { title: "New" }, options);
        expect(await connector.updateIssue(ref, { title: "New" }, options)).toMatchObject({
          title: "New",
          revision: first.revision,
        });
      });

      const refused: readonly (readonly [string, IssuePatch])[] = [
        ["an unknown key", Object.assign({ title: "New" }, { colour: "red" })],
        ["an empty title", { title: "" }],
        ["a status", { status: "in_progress" }],
        ["links", { links: [] }],
      ];
      test.each(refused)("refuses %s before any request", async (_, patch) => {
        const { ref } = await create("Old");
        expect(await unsent(() => connector.updateIssue(ref, patch, key()))).toMatchObject({
          failureClass: "invalid",
        });
        expect(await connector.getIssue(ref)).toMatchObject({ title: "Old" });
      });

      test("with a revision does not overwrite what it has not seen", async () => {
        const { ref, revision } = await create("Old");
        const update = () =>
          connector.updateIssue(
            ref,
            { title: "Mine" },
            { ...key(), ...(revision !== null && { expectedRevision: revision }) },
          );
        if (!can("conditionalWrites")) {
          if (revision !== null) await expectRefused("conditionalWrites", update);
          return;
        }
        await subject.tick();
        await subject.edit(ref, { title: "Theirs" });
        expect(await failureOf(update)).toMatchObject({ failureClass: "conflict", retryable: false });
        const theirs = await connector.getIssue(ref);
        expect(theirs.title).toBe("Theirs");
        if (theirs.revision === null) throw new Error("a revision is needed to write conditionally");
        const options = { ...key(), expectedRevision: theirs.revision };
        expect(await connector.updateIssue(ref, { title: "Mine" }, options)).toMatchObject({ title: "Mine" });
      });

      test("carries what its capabilities say, and refuses the rest before any request", async () => {
        const { ref } = await create("Child");
        const parent = (await create("Parent")).ref;
        const [one, other] = subject.people;
        const { issueType, priority, customFields } = subject.changed;
        const cases: readonly (readonly [boolean, CapabilityFlag, IssuePatch])[] = [
          [can("hierarchy"), "hierarchy", { parent }],
          [can("hierarchy"), "hierarchy", { parent: null }],
          [can("issueType"), "issueType", { issueType }],
          [can("priority"), "priority", { priority }],
          [can("assignment"), "assignment", { assignees: [one] }],
          [can("customFields"), "customFields", { customFields }],
          ...(can("assignment")
            ? [
                [can("multiAssignee"), "multiAssignee", { assignees: [one, other].sort() }] satisfies [
                  boolean,
                  CapabilityFlag,
                  IssuePatch,
                ],
              ]
            : []),
        ];
        for (const [carried, capability, patch] of cases) {
          const update = () => connector.updateIssue(ref, patch, key());
          if (carried) expect(await update()).toMatchObject(patch);
          else await expectRefused(capability, update);
        }
      });
    });

    describe("status", () => {
      test.each(CanonicalStatus.options)("%s is carried and stays, or is refused", async (status) => {
        const { ref } = await create("Work");
        const move = () => connector.transitionIssue(ref, status, key());
        const isTerminal = status === "done" || status === "canceled";
        if (isTerminal && !can("terminalTransition")) return expectRefused("terminalTransition", move);
        if (!connector.capabilities().statuses.includes(status)) return expectRefused("statuses", move);
        expect(await move()).toMatchObject({ status });
        const moved = await connector.getIssue(ref);
        expect(moved.status).toBe(status);
        await subject.tick();
        await move();
        expect(await connector.getIssue(ref)).toEqual(moved);
      });

      test.each(["done", "canceled"] as const)("ends as %s where the connector may", async (status) => {
        const { ref } = await create("Work");
        const end = () => connector.transitionIssue(ref, status, key());
        if (can("terminalTransition") && connector.capabilities().statuses.includes(status)) {
          expect(await end()).toMatchObject({ status });
          expect(await connector.transitionIssue(ref, "todo", key())).toMatchObject({ status: "todo" });
        } else await expectRefused(can("terminalTransition") ? "statuses" : "terminalTransition", end);
      });
    });

    describe("links", () => {
      const PAIRS = [
        ["blocks", "blocked_by"],
        ["blocked_by", "blocks"],
        ["relates_to", "relates_to"],
      ] as const;
      test.each(PAIRS)("%s is %s from the other end, once, until it is removed", async (type, inverse) => {
        const { ref: a } = await create("a");
        const { ref: b } = await create("b");
        const link = () => connector.upsertLink(a, { type, target: b });
        if (!can("dependencies")) {
          await expectRefused("dependencies", link);
          await expectRefused("dependencies", () => connector.removeLink(a, { type, target: b }));
          return;
        }
        if (!connector.capabilities().linkTypes.includes(type)) {
          await expectRefused("linkTypes", link);
          return;
        }
        for (let time = 0; time < 2; time += 1) expect(await link()).toEqual(await connector.getIssue(a));
        const linksOf = async (ref: ExternalRef) =>
          (await connector.getIssue(ref)).links.map(({ type, target }) => [type, identityOf(target)]);
        expect(await linksOf(a)).toEqual([[type, identityOf(b)]]);
        expect(await linksOf(b)).toEqual([[inverse, identityOf(a)]]);
        for (let time = 0; time < 2; time += 1) {
          const after = await connector.removeLink(b, { type: inverse, target: a });
          expect(after).toEqual(await connector.getIssue(b));
        }
        expect(await linksOf(a)).toEqual([]);
        expect(await linksOf(b)).toEqual([]);
      });
    });

    test("an issue is found by its key, and by its words", async () => {
      const first = await create("The quokka escaped");
      const second = await create("Nothing happened", { body: "No quokka was seen." });
      await create("Unrelated");
      expect(await connector.findIssue(subject.keyOf(first.ref))).toEqual(first);
      expect(await connector.findIssue(subject.keyOf(subject.absent))).toBeNull();
      const found = await connector.searchIssues({ text: "quokka" });
      expect(found.map(({ ref }) => ref.id).toSorted()).toEqual([first.ref.id, second.ref.id].toSorted());
      const latest = await connector.searchIssues({ limit: 2 });
      expect(latest.map(({ title }) => title)).toEqual(["Unrelated", "Nothing happened"]);
      expect(await unsent(() => connector.searchIssues({ limit: 101 }))).toMatchObject({
        failureClass: "invalid",
      });
    });

    test("comments are added once per key and listed oldest first, over pages", async () => {
      const { ref } = await create("Talk");
      const options = key();
      if (!can("comments")) {
        await expectRefused("comments", () => connector.addComment(ref, "first", options));
        await expectRefused("comments", () => connector.listComments(ref));
        return;
      }
      const first = await connector.addComment(ref, "first\n\nwith two paragraphs", options);
      expect(await connector.addComment(ref, "first\n\nwith two paragraphs", options)).toEqual(first);
      const said = [first];
      for (const body of ["second", "third"]) {
        await subject.tick();
        said.push(await connector.addComment(ref, body, key()));
      }
      const listed = await everyPage((cursor) => connector.listComments(ref, cursor ?? undefined));
      expect(listed).toEqual(said);
      for (const comment of listed) expect(v.parse(CanonicalComment, comment)).toEqual(comment);
    });

    test("events tell what was created and changed, from an instant on", async () => {
      if (subject.events === "refused") {
        const error = await unsent(() => connector.listEvents({}));
        expect(error).toBeInstanceOf(CapabilityNotSupportedError);
        return;
      }
      const { ref } = await create("first");
      const second = await create("second");
      await subject.tick();
      await subject.edit(ref, { title: "first, edited" });
      const told = async (since?: string) => {
        const events = await everyPage((cursor) =>
          connector.listEvents({
            ...(since !== undefined && { since }),
            ...(cursor !== null && { cursor }),
          }),
        );
        for (const event of events) expect(v.parse(TrackerEvent, event)).toEqual(event);
        expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
        return events.map((event) => [event.type, identityOf(event.ref)]);
      };
      expect(await told()).toEqual([
        ["created", identityOf(ref)],
        ["created", identityOf(second.ref)],
        ["updated", identityOf(ref)],
      ]);
      expect(await told(second.updatedAt)).toEqual([
        ["created", identityOf(second.ref)],
        ["updated", identityOf(ref)],
      ]);
    });

    describe.each([
      ["another tracker", (ref: ExternalRef) => ({ ...ref, system: "elsewhere" })],
      ["another workspace", (ref: ExternalRef) => ({ ...ref, workspace: "elsewhere" })],
    ] as const)("an issue of %s", (_, move) => {
      test("is out of scope for every call, before any request", async () => {
        const { ref } = await create("here");
        const foreign = move(ref);
        const link = { type: "blocks", target: ref } as const;
        for (const call of callsOn(foreign, link)) {
          expect(await unsent(call)).toBeInstanceOf(ScopeViolationError);
        }
        const outward = { type: "blocks", target: foreign } as const;
        for (const call of [
          () => connector.upsertLink(ref, outward),
          () => connector.removeLink(ref, outward),
          () => connector.updateIssue(ref, { parent: foreign }, key()),
          () => connector.createIssue({ ...subject.sample, parent: foreign }, key()),
          () => connector.createIssue({ ...subject.sample, links: [outward] }, key()),
        ]) {
          expect(await unsent(call)).toBeInstanceOf(ScopeViolationError);
        }
      });
    });

    test("an issue that is not there is not found by any call", async () => {
      const { ref } = await create("here");
      for (const call of callsOn(subject.absent, { type: "blocks", target: ref })) {
        const error = await failureOf(call);
        if (error instanceof CapabilityNotSupportedError) continue;
        expect(error).toBeInstanceOf(IssueNotFoundError);
        expect(error).toMatchObject({ failureClass: "not_found", retryable: false });
      }
    });

    function callsOn(ref: ExternalRef, link: CanonicalIssue["links"][number]) {
      return [
        () => connector.getIssue(ref),
        () => connector.updateIssue(ref, { title: "x" }, key()),
        () => connector.transitionIssue(ref, "in_progress", key()),
        () => connector.upsertLink(ref, link),
        () => connector.removeLink(ref, link),
        () => connector.addComment(ref, "x", key()),
        () => connector.listComments(ref),
      ];
    }
  });
}

/** All pages of a listing. */
async function pagesOf<T>(next: (cursor: string | null) => Promise<Page<T>>): Promise<readonly Page<T>[]> {
  const pages: Page<T>[] = [];
  let cursor: string | null = null;
  do {
    const page: Page<T> = await next(cursor);
    pages.push(page);
    cursor = page.nextCursor;
    if (pages.length > 1000) throw new Error("the listing does not end");
  } while (cursor !== null);
  return pages;
}

async function everyPage<T>(next: (cursor: string | null) => Promise<Page<T>>): Promise<readonly T[]> {
  return (await pagesOf(next)).flatMap(({ items }) => items);
}
