import { expect, test } from "vitest";

import { grouped, reversed } from "./list";

test("what has one name stands together, in the order in which it came", () => {
  expect(grouped(["b1", "a1", "b2"], (one) => one.slice(0, 1))).toEqual([
    ["b", ["b1", "b2"]],
    ["a", ["a1"]],
  ]);
});

test("a list is reversed, and stays as it was", () => {
  const all = [1, 2];
  expect([reversed(all), all]).toEqual([[2, 1], [1, 2]]);
});
