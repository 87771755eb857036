// Every word that a person reads, by language. The app's menu reads the same files.
import en from "./en.json";
import ru from "./ru.json";

export type Key = keyof typeof en;
export type Say = (key: Key) => string;

// The type refuses a language that lacks a key.
const languages: Record<string, Record<Key, string>> = { en, ru };

/** The first of the wanted languages that we speak; English where there is none. */
export function choose(wanted: readonly string[]): string {
  for (const tag of wanted) {
    const language = tag.toLowerCase().split(/[-_]/)[0] ?? "";
    if (Object.hasOwn(languages, language)) return language;
  }
  return "en";
}

export function words(language: string): Say {
  const spoken = languages[language] ?? en;
  return (key) => spoken[key];
}
