import { expect, test } from "vitest";

import type { SpanLine } from "../../generated/SpanLine";
import { roots, visible, waterfall } from "./layout";

const span = (name: string, parent: string | null, second: number, seconds: number): SpanLine => ({
  trace: "t",
  span: name,
  parent,
  name,
  session: null,
  began: new Date(1_700_000_000_000 + second * 1000).toISOString(),
  seconds,
  code: null,
});

test("parts stand under what they are a part of, where they were in time", () => {
  const bars = waterfall([span("c", "b", 3, 1), span("a", null, 0, 10), span("b", "a", 2, 4), span("d", "a", 1, 1)]);
  expect(bars.map((bar) => [bar.span.name, bar.depth])).toEqual([["a", 0], ["d", 1], ["b", 1], ["c", 2]]);
  expect(bars[2]).toMatchObject({ from: 20, length: 40 });
});

test("a part whose whole is not there stands for itself, and a circle ends", () => {
  expect(roots([span("b", "gone", 2, 1), span("a", null, 1, 1)]).map((one) => one.name)).toEqual(["b", "a"]);
  expect(waterfall([span("a", "b", 0, 1), span("b", "a", 0, 1)])).toEqual([]);
  expect(waterfall([])).toEqual([]);
});

test("of ten thousand rows a screenful is drawn", () => {
  const { first, last } = visible(32_000, 480, 32, 10_000);
  expect([first, last]).toEqual([992, 1023]);
  expect(visible(0, 480, 32, 3)).toEqual({ first: 0, last: 3 });
});
