// What a person needs to judge a held change: which program would run here, and when.
import type { Held } from "../../generated/Held";

export interface Runs {
  /** The command or the program, as it would be run. */
  what: string;
  /** On which of Claude Code's occasions; null where it is not tied to one. */
  event: string | null;
}

/** Keys whose text is a command line of the host. */
const COMMANDS = ["command", "apiKeyHelper", "awsAuthRefresh", "awsCredentialExport", "otelHeadersHelper"];

/** Every program that the session's side names, and the host's does not have already. */
export function runs(held: Held): Runs[] {
  const found: Runs[] = [];
  for (const part of held.parts) {
    if (part.kind === "file") {
      if ((part.mode & 0o100) !== 0) found.push({ what: part.name, event: null });
      continue;
    }
    const path = part.change.pointer.split("/").slice(1);
    const before = commands(parsed(part.change.host), path, null);
    for (const one of commands(parsed(part.change.session), path, null)) {
      if (!before.some((old) => old.what === one.what && old.event === one.event)) found.push(one);
    }
  }
  return found;
}

function parsed(text: string | null): unknown {
  if (text === null) return null;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // It is shown as it is, in the diff.
    return null;
  }
}

/** `path` is where the value stands: `hooks`, `Stop`, … name the occasion. */
function commands(value: unknown, path: readonly string[], event: string | null): Runs[] {
  const at = path.indexOf("hooks");
  const occasion = event ?? (at >= 0 ? (path[at + 1] ?? null) : null);
  const key = path.at(-1) ?? "";
  if (typeof value === "string") return COMMANDS.includes(key) ? [{ what: value, event: occasion }] : [];
  if (Array.isArray(value)) return value.flatMap((one, index) => commands(one, [...path, String(index)], occasion));
  if (typeof value !== "object" || value === null) return [];
  const fields = Object.entries(value);
  const command = fields.find(([name, text]) => name === "command" && typeof text === "string");
  const given = (value as { args?: unknown }).args;
  if (command && Array.isArray(given)) {
    const words = [command[1], ...given.filter((word) => typeof word === "string")];
    return [{ what: words.join(" "), event: occasion }];
  }
  return fields.flatMap(([name, one]) => commands(one, [...path, name], occasion));
}

export type Sign = "added" | "removed" | "place" | "same";

/** A line of a diff, by its first sign. */
export function signOf(line: string): Sign {
  if (line.startsWith("@@")) return "place";
  if (line.startsWith("+")) return "added";
  return line.startsWith("-") ? "removed" : "same";
}
