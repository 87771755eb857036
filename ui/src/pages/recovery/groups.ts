// A plan as a person reads it: what happens to which files, those that share a fate together.
import type { Item } from "../../generated/Item";

export type Act = Item["act"];

export interface Line {
  file: string;
  why: string;
  remedy: string | null;
  /** Files of one folder that are gone are one line. */
  count: number;
}

export interface Group {
  act: Act;
  lines: Line[];
}

// What needs the user comes last: the rest happens by itself.
const ORDER: Act[] = ["merge", "replace", "from-claude-code", "keep-what-is-whole", "fix", "bring-back", "by-hand"];

const folderOf = (file: string): string => file.slice(0, Math.max(1, file.lastIndexOf("/")));

export function groups(items: readonly Item[]): Group[] {
  return ORDER.map((act) => ({ act, lines: lines(items.filter((item) => item.act === act)) })).filter(
    (group) => group.lines.length > 0,
  );
}

function lines(items: readonly Item[]): Line[] {
  const found: Line[] = [];
  const gone = new Map<string, Line>();
  for (const item of items) {
    const remedy = item.act === "by-hand" ? item.remedy : null;
    const folder = folderOf(item.file);
    const known = item.act === "bring-back" ? gone.get(folder) : undefined;
    if (known) {
      known.file = folder;
      known.count += 1;
      continue;
    }
    const line = { file: item.file, why: item.why, remedy, count: 1 };
    if (item.act === "bring-back") gone.set(folder, line);
    found.push(line);
  }
  return found;
}

/** How many files something happens to without the user. */
export const recoverable = (items: readonly Item[]): number => items.filter((item) => item.act !== "by-hand").length;
