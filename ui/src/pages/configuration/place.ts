// Places as people read them: which key, and of what.
import type { Key } from "../../messages/messages";

export interface Named {
  name: string;
  where: Key;
  /** The key as a JSON pointer; null for a file. */
  pointer: string | null;
}

const DOCUMENTS: Record<string, Key> = {
  "claude/settings.json": "configuration.in.settings",
  "claude.json": "configuration.in.state",
  "drydock/settings.toml": "configuration.in.drydock",
};

export function named(place: string): Named {
  const at = place.indexOf("#");
  const where = DOCUMENTS[place.slice(0, Math.max(at, 0))];
  if (where === undefined) return { name: place.replace(/^claude\//, ""), where: "configuration.in.file", pointer: null };
  const pointer = place.slice(at + 1);
  const keys = pointer.split("/").slice(1);
  const opened = keys.map((key) => key.replace(/~1/g, "/").replace(/~0/g, "~"));
  return { name: opened.join(" › "), where, pointer };
}

/** A commit as it is shown, as the engine does. */
export const short = (commit: string): string => commit.slice(0, 10);
