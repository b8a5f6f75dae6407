import { expect, test } from "bun:test";
import { renderError, renderErrorJson } from "../../../src/cli/render/error.ts";
import { TrackerError } from "../../../src/shared/errors.ts";
import { style } from "./style.ts";

const full = new TrackerError("selection_required", "Several resources fit \x1b[31mthis project.", {
  hint: "Choose one: --select <number>.",
  retryable: true,
  requestId: "req_1\x07",
  details: { label: "\u202eabc\x1b" },
  choices: [{ number: 1, display_label: "Payments (PAY)", confidence: "high", match_reason: "same name" }],
});

test("for people: what happened, the choices, what is next", () => {
  expect(`\n${renderError(full, style())}`).toMatchInlineSnapshot(`
    "
    Error: Several resources fit \\u001b[31mthis project.
    1. Payments (PAY)
       high: same name
    Choose one: --select <number>.
    Request id: req_1\\u0007
    "
  `);
});

test("for people: nothing but what there is", () => {
  expect(renderError(new TrackerError("x", "It broke."), style())).toBe("Error: It broke.\n");
});

test("for programs: one object that holds the very same characters", () => {
  const text = renderErrorJson(full);
  expect(`\n${text}`).toMatchInlineSnapshot(`
    "
    {
      "error": {
        "code": "selection_required",
        "message": "Several resources fit \\u001b[31mthis project.",
        "hint": "Choose one: --select <number>.",
        "retryable": true,
        "request_id": "req_1\\u0007",
        "details": {
          "label": "\\u202eabc\\u001b"
        },
        "choices": [
          {
            "number": 1,
            "display_label": "Payments (PAY)",
            "confidence": "high",
            "match_reason": "same name"
          }
        ]
      }
    }
    "
  `);
  expect(JSON.parse(text)).toMatchObject({
    error: { message: "Several resources fit \x1b[31mthis project.", details: { label: "\u202eabc\x1b" } },
  });
});

test("for programs: nulls where there is nothing, and no choices", () => {
  expect(JSON.parse(renderErrorJson(new TrackerError("x", "It broke.")))).toEqual({
    error: { code: "x", message: "It broke.", hint: null, retryable: false, request_id: null, details: null },
  });
});
