// Every word that a person reads, by language. The app's menu reads the same files.
import en from "./en.json";
import ru from "./ru.json";

/** Keys of words that do not depend on a number. */
export type Key = keyof typeof en;
type Stem<K> = K extends `${infer S}.other` ? S : never;
/** Keys of words that have a form for each number; `count` finds it. */
export type Counted = Stem<Key>;

const languages: Record<string, Record<string, string>> = { en, ru };

/** The first of the wanted languages that we speak; English where there is none. */
export function choose(wanted: readonly string[]): string {
  for (const tag of wanted) {
    const language = tag.toLowerCase().split(/[-_]/)[0] ?? "";
    if (Object.hasOwn(languages, language)) return language;
  }
  return "en";
}

/** How one language says things. */
export interface Speech {
  say: (key: Key, values?: Record<string, string | number>) => string;
  count: (key: Counted, number: number) => string;
  /** Words for what another version of the app may have sent: its own word where we have none. */
  sayAny: (stem: string, word: string) => string;
}

export function speech(language: string): Speech {
  const spoken = Object.hasOwn(languages, language) ? languages[language] : undefined;
  const find = (key: string): string | undefined => spoken?.[key] ?? (en as Record<string, string>)[key];
  const rules = new Intl.PluralRules(spoken ? language : "en");
  const numbers = new Intl.NumberFormat(spoken ? language : "en");
  const filled = (text: string, values: Record<string, string | number> = {}): string =>
    text.replace(/\{(\w+)\}/g, (place, name: string) => {
      const value = values[name];
      return value === undefined ? place : typeof value === "number" ? numbers.format(value) : value;
    });
  return {
    say: (key, values) => filled(find(key) ?? key, values),
    count: (key, number) => filled(find(`${key}.${rules.select(number)}`) ?? key, { count: number }),
    sayAny: (stem, word) => find(`${stem}.${word}`) ?? word,
  };
}
