// Figures, times and paths as people read them, by the language's own rules.

type Unit = "second" | "minute" | "hour" | "day";

const unit = (language: string, value: number, name: string, digits = 0): string =>
  new Intl.NumberFormat(language, {
    style: "unit",
    unit: name,
    // The short word for bytes has no plural: "30 byte".
    unitDisplay: name === "byte" ? "long" : "short",
    maximumFractionDigits: digits,
  }).format(value);

/** Bytes in the unit that leaves one to three digits before the point. */
export function bytes(language: string, count: number): string {
  const names = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  let value = count;
  let at = 0;
  while (value >= 999.5 && at < names.length - 1) {
    value /= 1000;
    at += 1;
  }
  return unit(language, value, names[at] ?? "byte", at > 0 && value < 10 ? 1 : 0);
}

/** A span of time in the unit that a person would say. */
export function duration(language: string, seconds: number): string {
  if (seconds < 10) return unit(language, seconds, "second", 1);
  if (seconds < 120) return unit(language, seconds, "second");
  if (seconds < 7200) return unit(language, seconds / 60, "minute");
  if (seconds < 172_800) return unit(language, seconds / 3600, "hour");
  return unit(language, seconds / 86_400, "day");
}

/** How long ago something was. What seems to be still to come is now: two clocks are never the same. */
export function ago(language: string, at: Date, now: Date): string {
  const seconds = Math.max(0, (now.getTime() - at.getTime()) / 1000);
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
  const steps: [number, Unit][] = [
    [86_400, "day"],
    [3600, "hour"],
    [60, "minute"],
  ];
  for (const [length, name] of steps) {
    const limit = name === "day" ? 2 * length : length;
    if (seconds >= limit) return relative.format(-Math.floor(seconds / length), name);
  }
  return relative.format(0, "second");
}

/** The exact time, for whoever wants to know. */
export const exact = (language: string, at: Date): string =>
  new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "medium" }).format(at);

export const day = (language: string, at: Date): string =>
  new Intl.DateTimeFormat(language, { dateStyle: "medium" }).format(at);

export const dayAndTime = (language: string, at: Date): string =>
  new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(at);

/** A time to come: with its day where that is not today. */
export function until(language: string, at: Date, now: Date): string {
  const isToday = at.toDateString() === now.toDateString();
  const options: Intl.DateTimeFormatOptions = isToday
    ? { timeStyle: "short" }
    : { weekday: "short", hour: "numeric", minute: "2-digit" };
  return new Intl.DateTimeFormat(language, options).format(at);
}

/** A path from the home, as people say it. */
export function short(path: string, home: string): string {
  if (home !== "" && path === home) return "~";
  return home !== "" && path.startsWith(`${home}/`) ? `~/${path.slice(home.length + 1)}` : path;
}

/** The last part of a path. */
export const nameOf = (path: string): string => path.split("/").filter(Boolean).at(-1) ?? path;
