import { expect, test } from "vitest";

import type { Item } from "../../generated/Item";
import { groups, recoverable } from "./groups";

const gone = (file: string): Item => ({ file, name: file, why: "it is gone", bytes: 1, act: "bring-back", snapshot: "a" });

test("files that are gone from one folder are one line, and what needs the user comes last", () => {
  const items: Item[] = [
    { file: "/h/x", name: "x", why: "odd", bytes: 0, act: "by-hand", remedy: "look" },
    gone("/h/.claude/agents/a.md"),
    gone("/h/.claude/agents/b.md"),
    gone("/h/.claude/c.md"),
    { file: "/h/.claude.json", name: ".claude.json", why: "it ends", bytes: 5, act: "merge", snapshot: "a" },
  ];
  const found = groups(items);
  expect(found.map((group) => group.act)).toEqual(["merge", "bring-back", "by-hand"]);
  expect(found[1]?.lines).toEqual([
    { file: "/h/.claude/agents", why: "it is gone", remedy: null, count: 2 },
    { file: "/h/.claude/c.md", why: "it is gone", remedy: null, count: 1 },
  ]);
  expect(found[2]?.lines[0]?.remedy).toBe("look");
  expect(recoverable(items)).toBe(4);
});

test("nothing to do is no group", () => {
  expect(groups([])).toEqual([]);
});
