// What a person needs to judge a held change: which program would run here, and when.
import type { Held } from "../generated/Held";

export interface Runs {
  /** The command or the program, as it would be run. */
  what: string;
  /** On which of Claude Code's occasions; null where it is not tied to one. */
  event: string | null;
}

/** Keys whose text is a command line of the host: Claude Code's, and the terminal of Drydock's own settings. */
const COMMANDS = ["command", "apiKeyHelper", "awsAuthRefresh", "awsCredentialExport", "otelHeadersHelper", "terminal"];

/** Every program that the session's side names, and the host's does not have already. */
export function runs(held: Held): Runs[] {
  const found: Runs[] = [];
  for (const part of held.parts) {
    if (part.kind === "file") {
      if ((part.mode & 0o100) !== 0) found.push({ what: part.name, event: null });
      continue;
    }
    found.push(...programs(part.change.pointer, part.change.host, part.change.session));
  }
  return found;
}

/** Every program that the new JSON text of a key names, and the old one does not. */
export function programs(pointer: string, before: string | null, after: string | null): Runs[] {
  const path = pointer.split("/").slice(1);
  const old = commands(parsed(before), path, null);
  const isNew = (one: Runs): boolean => !old.some((known) => known.what === one.what && known.event === one.event);
  return commands(parsed(after), path, null).filter(isNew);
}

/** A text in which nothing hides: signs without a shape, and those that turn the direction of others, as escapes. */
export const visible = (text: string): string =>
  text.replace(
    /[\p{Cc}\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/gu,
    (sign) => `\\u{${(sign.codePointAt(0) ?? 0).toString(16)}}`,
  );

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
