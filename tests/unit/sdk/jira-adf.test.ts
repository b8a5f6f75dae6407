import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import * as v from "valibot";
import { AdfDocument, type AdfNode } from "../../../src/sdk/connectors/jira/adf.ts";
import { documentOf, markdownOf } from "../../../src/sdk/connectors/jira/adf-markdown.ts";

const doc = (...content: readonly AdfNode[]): AdfDocument =>
  v.parse(AdfDocument, { type: "doc", version: 1, content });
const text = (value: string, ...marks: readonly string[]): AdfNode => ({
  type: "text",
  text: value,
  ...(marks.length > 0 && { marks: marks.map((type) => ({ type })) }),
});
const node = (type: string, content: readonly AdfNode[] = [], attrs: AdfNode["attrs"] = {}): AdfNode => ({
  type,
  attrs,
  content,
});
const paragraph = (...content: readonly AdfNode[]): AdfNode => ({ type: "paragraph", content });
const item = (...content: readonly AdfNode[]): AdfNode => ({ type: "listItem", content });
const leaf = (type: string, attrs: AdfNode["attrs"] = {}): AdfNode => ({ type, attrs });
const cell = (type: string, ...content: readonly AdfNode[]): AdfNode => ({ type, attrs: {}, content });
const row = (...content: readonly AdfNode[]): AdfNode => ({ type: "tableRow", content });

/** All text of a document, for counting what got lost. */
function textIn(nodes: readonly AdfNode[]): string {
  return nodes.map((each) => (each.text ?? "") + textIn(each.content ?? [])).join("");
}

const again = (markdown: string) => markdownOf(documentOf(markdown));

describe("ADF reads as Markdown", () => {
  const cases: readonly (readonly [string, AdfDocument, string])[] = [
    ["nothing", doc(), ""],
    ["an empty paragraph", doc(paragraph()), ""],
    ["paragraphs", doc(paragraph(text("a")), paragraph(text("b"))), "a\n\nb"],
    ["a hard break", doc(paragraph(text("a"), leaf("hardBreak"), text("b"))), "a\nb"],
    [
      "two hard breaks",
      doc(paragraph(text("a"), leaf("hardBreak"), leaf("hardBreak"), text("b"))),
      "a<br>\nb",
    ],
    ["a heading", doc(node("heading", [text("Why")], { level: 3 })), "### Why"],
    ["a rule", doc(paragraph(text("a")), leaf("rule"), paragraph(text("b"))), "a\n\n---\n\nb"],
    [
      "styles",
      doc(
        paragraph(
          text("bold", "strong"),
          text(" "),
          text("leaning", "em"),
          text(" "),
          text("gone", "strike"),
          text(" "),
          text("code", "code"),
          text(" "),
          text("under", "underline"),
          text(" H"),
          { ...text("2"), marks: [{ type: "subsup", attrs: { type: "sub" } }] },
          text("O m"),
          { ...text("2"), marks: [{ type: "subsup", attrs: { type: "sup" } }] },
        ),
      ),
      "**bold** *leaning* ~~gone~~ `code` <u>under</u> H<sub>2</sub>O m<sup>2</sup>",
    ],
    [
      "a link",
      doc(
        paragraph(text("see "), {
          ...text("the docs"),
          marks: [{ type: "link", attrs: { href: "https://x.test/a(b)" } }],
        }),
      ),
      "see [the docs](<https://x.test/a(b)>)",
    ],
    [
      "an address",
      doc(
        paragraph(text("at "), {
          ...text("https://x.test/a_b"),
          marks: [{ type: "link", attrs: { href: "https://x.test/a_b" } }],
        }),
      ),
      "at https://x.test/a_b",
    ],
    [
      "nested lists",
      doc(
        node("bulletList", [
          item(
            paragraph(text("one")),
            node("orderedList", [item(paragraph(text("three"))), item(paragraph(text("four")))], {
              order: 3,
            }),
          ),
          item(paragraph(text("two")), node("bulletList", [item(paragraph(text("deep")))])),
        ]),
      ),
      "- one\n\n  3. three\n  4. four\n- two\n  - deep",
    ],
    [
      "lists side by side",
      doc(node("bulletList", [item(paragraph(text("a")))]), node("bulletList", [item(paragraph(text("b")))])),
      "- a\n\n* b",
    ],
    [
      "tasks",
      doc(
        node(
          "taskList",
          [
            node("taskItem", [text("done")], { localId: "1", state: "DONE" }),
            node("taskList", [node("taskItem", [text("open")], { localId: "2", state: "TODO" })], {
              localId: "3",
            }),
          ],
          { localId: "4" },
        ),
      ),
      "- [x] done\n  - [ ] open",
    ],
    [
      "code with backticks",
      doc(node("codeBlock", [text("```\nx\n```")], { language: "markdown" })),
      "````markdown\n```\nx\n```\n````",
    ],
    [
      "a quote",
      doc(node("blockquote", [paragraph(text("a")), node("bulletList", [item(paragraph(text("b")))])])),
      "> a\n>\n> - b",
    ],
    [
      "a panel",
      doc(node("panel", [paragraph(text("Careful"))], { panelType: "warning" })),
      "> [!WARNING]\n> Careful",
    ],
    [
      "a foldable part",
      doc(node("expand", [paragraph(text("inside"))], { title: "More <b>" })),
      "<details>\n<summary>More \\<b></summary>\n\ninside\n\n</details>",
    ],
    [
      "a table",
      doc(
        node("table", [
          row(cell("tableHeader", paragraph(text("k|y"))), cell("tableHeader", paragraph(text("value")))),
          row(cell("tableCell", paragraph(text("a")), paragraph(text("b"))), cell("tableCell", paragraph())),
        ]),
      ),
      "| k\\|y | value |\n| --- | --- |\n| a<br>b |  |",
    ],
    [
      "what only Jira has",
      doc(
        paragraph(
          leaf("mention", { id: "5b10", text: "@Ada" }),
          text(" "),
          leaf("emoji", { shortName: ":tada:", text: "🎉" }),
          text(" "),
          leaf("date", { timestamp: "1772323200000" }),
          text(" "),
          leaf("status", { text: "IN REVIEW", color: "blue" }),
          text(" "),
          leaf("inlineCard", { url: "https://x.test/PAY-1" }),
        ),
        node("mediaSingle", [leaf("media", { type: "file", id: "m-1", collection: "", alt: "screen.png" })], {
          layout: "center",
        }),
        node(
          "mediaSingle",
          [leaf("media", { type: "external", url: "https://x.test/a.png", alt: "graph" })],
          {
            layout: "center",
          },
        ),
        leaf("blockCard", { url: "https://x.test/PAY-2" }),
        node("decisionList", [node("decisionItem", [text("We ship.")], { localId: "1", state: "DECIDED" })], {
          localId: "2",
        }),
        leaf("extension", { extensionType: "x", extensionKey: "toc", text: "contents" }),
      ),
      "@Ada 🎉 2026-03-01 `IN REVIEW` https://x.test/PAY-1\n\n(attachment: screen.png)\n\n![graph](https://x.test/a.png)\n\nhttps://x.test/PAY-2\n\n- We ship.\n\ncontents",
    ],
    [
      "signs that are text",
      doc(paragraph(text("2 * 3 *4* snake_case _x_ [a](b) `c` <u> # & &amp; C:\\dir \\*"))),
      "2 * 3 \\*4\\* snake_case \\_x\\_ [a\\](b) \\`c\\` \\<u> # & \\&amp; C:\\dir \\\\\\*",
    ],
    [
      "a list sign that is text",
      doc(paragraph(text("- a"), leaf("hardBreak"), text("2. b"))),
      "\\- a\n2\\. b",
    ],
    ["a checkbox that is text", doc(node("bulletList", [item(paragraph(text("[ ] a")))])), "- \\[ ] a"],
  ];
  test.each(cases)("%s", (_, document, markdown) => {
    expect(markdownOf(document)).toBe(markdown);
    expect(again(markdown)).toBe(markdown);
  });
});

describe("Markdown becomes ADF", () => {
  const cases: readonly (readonly [string, string, readonly AdfNode[]])[] = [
    [
      "a paragraph of two lines",
      "Two lines\nof text",
      [paragraph(text("Two lines"), { type: "hardBreak" }, text("of text"))],
    ],
    ["underscores within words", "a_b_c", [paragraph(text("a_b_c"))]],
    ["styles in styles", "***both** em*", [paragraph(text("both", "em", "strong"), text(" em", "em"))]],
    ["code that keeps its spaces", "`` a`b ``", [paragraph(text("a`b", "code"))]],
    [
      "an underlined heading",
      "Title\n=====\ntext",
      [{ type: "heading", attrs: { level: 1 }, content: [text("Title")] }, paragraph(text("text"))],
    ],
    [
      "code with its language",
      "```ts\nconst a = 1;\n\n```",
      [{ type: "codeBlock", attrs: { language: "ts" }, content: [text("const a = 1;\n")] }],
    ],
    ["indented code", "    x = 1\n\n    y", [{ type: "codeBlock", content: [text("x = 1\n\ny")] }]],
    [
      "a list that goes on without indentation",
      "1. a\nb\n2. c",
      [
        {
          type: "orderedList",
          content: [item(paragraph(text("a"), { type: "hardBreak" }, text("b"))), item(paragraph(text("c")))],
        },
      ],
    ],
    [
      "tasks with ids of their own",
      "- [ ] a\n- [x] b",
      [
        {
          type: "taskList",
          attrs: { localId: "1" },
          content: [
            { type: "taskItem", attrs: { localId: "2", state: "TODO" }, content: [text("a")] },
            { type: "taskItem", attrs: { localId: "3", state: "DONE" }, content: [text("b")] },
          ],
        },
      ],
    ],
    [
      "a heading in a list, where Jira has no headings",
      "- # a",
      [{ type: "bulletList", content: [item(paragraph(text("a", "strong")))] }],
    ],
    [
      "a quote in a quote, where Jira has no quotes",
      "> a\n> > b",
      [{ type: "blockquote", content: [paragraph(text("a")), paragraph(text("b"))] }],
    ],
    ["a fence without an end", "```\na", [{ type: "codeBlock", content: [text("a")] }]],
    [
      "foldable text without an end",
      "<details>\na",
      [paragraph(text("<details>"), { type: "hardBreak" }, text("a"))],
    ],
    ["entities", "a&nbsp;b &lt;&#65;&#x42;", [paragraph(text("a\u00a0b <AB"))]],
  ];
  test.each(cases)("%s", (_, markdown, content) => {
    expect(documentOf(markdown).content).toEqual([...content]);
  });

  test("an edit keeps what Markdown cannot say in the blocks that it does not touch", () => {
    const mention = paragraph(leaf("mention", { id: "5b10", text: "@Ada" }), text(" decides."));
    const picture = node(
      "mediaSingle",
      [leaf("media", { type: "file", id: "m-1", collection: "c", alt: "a.png" })],
      {
        layout: "center",
      },
    );
    const before = doc(mention, paragraph(text("Old.")), picture);
    const after = documentOf(markdownOf(before).replace("Old.", "New."), before);
    expect(after.content).toEqual([mention, paragraph(text("New.")), picture]);
  });

  test("an edit keeps what is several blocks in Markdown, or none, next to it", () => {
    const column = (...content: readonly AdfNode[]) => node("layoutColumn", content, { width: 50 });
    const layout = node("layoutSection", [column(paragraph(text("Left"))), column(paragraph(text("Right")))]);
    const macro = node("bodiedExtension", [paragraph(text("One")), paragraph(text("Two"))], {
      extensionType: "com.atlassian.confluence.macro.core",
      extensionKey: "excerpt",
    });
    const [empty, left] = [paragraph(), paragraph(text("Left"))];
    const before = doc(empty, layout, paragraph(text("Old.")), empty, left, macro, empty, empty);
    const after = documentOf(markdownOf(before).replace("Old.", "New."), before);
    expect(after.content).toEqual([empty, layout, paragraph(text("New.")), left, macro, empty, empty]);
    expect(documentOf(markdownOf(before), before)).toEqual(before);
  });
});

test("a document nested too deep is refused, not read", () => {
  let deep: AdfNode = paragraph(text("a"));
  for (let level = 0; level < 100_000; level++) deep = { type: "blockquote", content: [deep] };
  expect(v.is(AdfDocument, { type: "doc", version: 1, content: [deep] })).toBe(false);
});

test("hostile text is read and written in time", () => {
  for (const part of [
    "*a ",
    "[",
    "](",
    "`",
    "<u>",
    " ",
    "a\n",
    "- ",
    "> ",
    "|",
    "~~",
    "\\",
    "_",
    "![",
    "<details>\n",
    "1. ",
  ]) {
    const markdown = part.repeat(Math.floor(4000 / part.length));
    const once = again(markdown);
    expect(again(once)).toBe(once);
  }
});

// What people and programs put into bodies: words, and every sign that means something to Markdown.
const word = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom("a", "word", "x1", "é", "日本", "🎉", "https://x.test/a_b?c=d", "snake_case"),
  },
  fc.constantFrom(..."*_`~[]()<>#+-=.!|\\&:\"'{}1\u00a0".split("")),
  fc.constantFrom(
    "**",
    "__",
    "~~",
    "```",
    "](",
    "![",
    "<u>",
    "</u>",
    "<br>",
    "&amp;",
    "1.",
    "2)",
    "- ",
    "---",
    "[ ] ",
    "[!NOTE]",
    "<details>",
    "</details>",
    "| - |",
    "\\\n",
  ),
  fc.constantFrom(" ", "  ", "\t"),
);
const line = fc.array(word, { maxLength: 8 }).map((words) => words.join(""));
const markdownText = fc
  .array(
    fc.tuple(
      fc.constantFrom("", "", "", "- ", "  ", "    ", "> ", "1. ", "# ", "```", "| ", "- [ ] ", "  - "),
      line,
    ),
    { maxLength: 10 },
  )
  .map((lines) => lines.map(([start, rest]) => start + rest).join("\n"));

test("Markdown that came from ADF is stable", () => {
  fc.assert(
    fc.property(markdownText, (markdown) => {
      const once = again(markdown);
      expect(again(once)).toBe(once);
    }),
    { numRuns: 1000 },
  );
});

test("no word is lost between Markdown and ADF", () => {
  fc.assert(
    fc.property(markdownText, (markdown) => {
      const kept = JSON.stringify(documentOf(markdown).content);
      for (const each of markdown.match(/word|x1|é|日本|🎉|snake/gu) ?? []) expect(kept).toContain(each);
    }),
    { numRuns: 1000 },
  );
});

const mark = fc.constantFrom(
  { type: "strong" },
  { type: "em" },
  { type: "strike" },
  { type: "underline" },
  { type: "code" },
  { type: "textColor", attrs: { color: "#ff0000" } },
  { type: "annotation", attrs: { id: "1", annotationType: "inlineComment" } },
  { type: "subsup", attrs: { type: "sub" } },
  { type: "subsup", attrs: { type: "sup" } },
  { type: "link", attrs: { href: "https://x.test/a b(c)", title: 'say "hi"' } },
  { type: "link", attrs: { href: "https://x.test/a_b?c=d" } },
);
const textNode = fc
  .tuple(line, fc.uniqueArray(mark, { maxLength: 3, selector: ({ type }) => type }))
  .map(([value, marks]): AdfNode => ({ type: "text", text: value, marks }));
const inline = fc.oneof(
  { weight: 4, arbitrary: textNode },
  fc.constantFrom<AdfNode>(
    leaf("hardBreak"),
    leaf("mention", { id: "1", text: "@Ada *L*" }),
    leaf("emoji", { shortName: ":x:" }),
    leaf("date", { timestamp: "soon" }),
    leaf("date", { timestamp: "99999999999999999999" }),
    leaf("status", { text: "a`b", color: "red" }),
    leaf("inlineCard", { url: "https://x.test/<a>" }),
    leaf("inlineCard", { data: {} }),
    leaf("placeholder", { text: "type here" }),
    leaf("inlineExtension", { extensionKey: "k" }),
    leaf("mediaInline", { id: "1", collection: "c" }),
  ),
);
const inlines = fc.array(inline, { maxLength: 5 });
const { block } = fc.letrec<{ block: AdfNode; blocks: AdfNode[] }>((tie) => {
  const inside = tie("blocks");
  const of = (
    type: string,
    content: fc.Arbitrary<AdfNode[]>,
    attrs: fc.Arbitrary<AdfNode["attrs"]> = fc.constant({}),
  ) => fc.tuple(content, attrs).map(([nodes, more]) => node(type, nodes, more));
  const several = (arbitrary: fc.Arbitrary<AdfNode>) => fc.array(arbitrary, { maxLength: 3 });
  const task = of(
    "taskItem",
    inlines,
    fc.constantFrom({ localId: "1", state: "DONE" }, { localId: "2", state: "TODO" }),
  );
  return {
    blocks: fc.array(tie("block"), { maxLength: 3 }),
    block: fc.oneof(
      { maxDepth: 4, depthSize: "small" },
      of("paragraph", inlines),
      of("paragraph", inlines),
      of(
        "heading",
        inlines,
        fc.integer({ min: -1, max: 9 }).map((level) => ({ level })),
      ),
      of(
        "codeBlock",
        several(line.map((value) => text(value))),
        fc.constantFrom({}, { language: "ts" }, { language: "c `x" }),
      ),
      fc.constantFrom<AdfNode>(
        leaf("rule"),
        leaf("blockCard", { url: "https://x.test/" }),
        leaf("embedCard", { url: "x y", layout: "wide" }),
        leaf("extension", { extensionKey: "toc" }),
        leaf("syncBlock", { resourceId: "1" }),
        leaf("somethingNew"),
        node("mediaGroup", [leaf("media", { type: "file", id: "1", collection: "c" }), leaf("media")]),
        node("mediaSingle", [
          leaf("media", { type: "external", url: "https://x.test/a b.png" }),
          node("caption", [text("*c*")]),
        ]),
      ),
      of("bulletList", several(of("listItem", inside))),
      of(
        "orderedList",
        several(of("listItem", inside)),
        fc.constantFrom({}, { order: 0 }, { order: 7 }, { order: 1e12 }),
      ),
      of(
        "taskList",
        several(
          fc.oneof(
            task,
            of("taskList", several(task)),
            of("blockTaskItem", inside, fc.constant({ state: "TODO" })),
          ),
        ),
      ),
      of("decisionList", several(of("decisionItem", inlines))),
      of("blockquote", inside),
      of(
        "panel",
        inside,
        fc.constantFrom({ panelType: "info" }, { panelType: "custom" }, { panelType: "error" }),
      ),
      of(
        "expand",
        inside,
        line.map((title) => ({ title })),
      ),
      of("nestedExpand", inside, fc.constant({ title: "" })),
      of(
        "table",
        several(
          of(
            "tableRow",
            several(
              fc.oneof(of("tableHeader", inside), of("tableCell", inside, fc.constant({ colspan: 2 }))),
            ),
          ),
        ),
      ),
      of("layoutSection", several(of("layoutColumn", inside))),
      of("bodiedExtension", inside),
      of("multiBodiedExtension", several(of("extensionFrame", inside))),
      of("bodiedSyncBlock", inside),
      of("bodiedRule", inside),
    ),
  };
});

test("ADF that went through Markdown is stable, whatever is in it", () => {
  fc.assert(
    fc.property(fc.array(block, { maxLength: 4 }), (content) => {
      const markdown = markdownOf(doc(...content));
      expect(again(markdown)).toBe(markdown);
    }),
    { numRuns: 300 },
  );
});

test("ADF that an unchanged text is put into reads the same, whatever is in it", () => {
  fc.assert(
    fc.property(fc.array(block, { maxLength: 5 }), (content) => {
      const document = doc(...content);
      const markdown = markdownOf(document);
      expect(markdownOf(documentOf(markdown, document))).toBe(markdown);
    }),
    { numRuns: 300 },
  );
});

test("no word is lost between ADF and Markdown", () => {
  const words = (value: string) => value.match(/[\p{L}\p{N}]+/gu)?.toSorted() ?? [];
  fc.assert(
    fc.property(fc.array(block, { maxLength: 4 }), (content) => {
      const document = doc(...content);
      const kept = words(textIn(documentOf(markdownOf(document)).content));
      for (const each of words(textIn(document.content).replace(/./gu, "$& ")))
        expect(kept.join(" ")).toContain(each);
    }),
    { numRuns: 200 },
  );
});
