// Lists, with what the oldest WebKit of macOS 12 can do.

/** Neighbours of one name together, in the order in which they came. */
export function grouped<T>(all: readonly T[], name: (one: T) => string): [string, T[]][] {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const key = name(one);
    const group = groups.get(key);
    if (group) group.push(one);
    else groups.set(key, [one]);
  }
  return [...groups];
}

export const reversed = <T>(all: readonly T[]): T[] => [...all].reverse();
