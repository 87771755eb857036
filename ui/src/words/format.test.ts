import { expect, test } from "vitest";

import { ago, bytes, duration, nameOf, short } from "./format";

test.each([
  [0, "0 bytes"],
  [999, "999 bytes"],
  [1000, "1 kB"],
  [1536, "1.5 kB"],
  [999_600, "1 MB"],
  [5_340_000_000, "5.3 GB"],
])("%d bytes are %s", (count, told) => {
  expect(bytes("en", count)).toBe(told);
});

test.each([
  [0.42, "0.4 sec"],
  [12.4, "12 sec"],
  [600, "10 min"],
  [10_800, "3 hr"],
  [259_200, "3 days"],
])("%d seconds are %s", (seconds, told) => {
  expect(duration("en", seconds)).toBe(told);
});

test("times are told from now, and the future is now", () => {
  const now = new Date("2026-03-01T12:00:00Z");
  const before = (seconds: number): string => ago("en", new Date(now.getTime() - seconds * 1000), now);
  expect(before(-50)).toBe("now");
  expect(before(59)).toBe("now");
  expect(before(720)).toBe("12 min. ago");
  expect(before(90_000)).toBe("25 hr. ago");
  expect(before(3 * 86_400)).toBe("3 days ago");
  expect(ago("ru", new Date(now.getTime() - 120_000), now)).toBe("2 мин. назад");
});

test("paths are told from the home", () => {
  expect(short("/home/ann/.claude.json", "/home/ann")).toBe("~/.claude.json");
  expect(short("/home/annette/x", "/home/ann")).toBe("/home/annette/x");
  expect(short("/home/ann", "/home/ann")).toBe("~");
  expect(nameOf("/a/shop/")).toBe("shop");
});
