import { expect, test } from "vitest";

import en from "./en.json";
import { choose, speech } from "./messages";
import ru from "./ru.json";

const stemOf = (key: string): string => key.replace(/\.(one|few|many|other)$/, ".#");
const stems = (file: object): string[] => [...new Set(Object.keys(file).map(stemOf))].sort();

test("both languages say the same things", () => {
  expect(stems(ru)).toEqual(stems(en));
});

test("every number has its form in every language", () => {
  const counted = [...new Set(Object.keys(en).filter((key) => key.endsWith(".other")))].map((key) => key.slice(0, -6));
  for (const [language, file] of Object.entries({ en, ru })) {
    const rules = new Intl.PluralRules(language);
    for (const key of counted) {
      for (let number = 0; number < 130; number += 1) {
        expect(file).toHaveProperty([`${key}.${rules.select(number)}`]);
      }
    }
  }
});

test("both languages fill in the same places", () => {
  const places = (text: string): string => [...text.matchAll(/\{\w+\}/g)].map(String).sort().join();
  for (const [key, text] of Object.entries(en)) {
    const other = (ru as Record<string, string>)[key];
    if (other !== undefined && !/\.(one|few|many|other)$/.test(key)) expect(places(other), key).toBe(places(text));
  }
});

test("no language is another with its name changed", () => {
  const same = Object.entries(en).filter(([key, text]) => (ru as Record<string, string>)[key] === text);
  expect(same.map(([key]) => key)).toEqual(["app.name"]);
});

test.each([
  [["ru-RU", "en"], "ru"],
  [["de-AT", "en-GB"], "en"],
  [["de"], "en"],
  [["constructor"], "en"],
  [[], "en"],
])("%j is answered in %s", (wanted, language) => {
  expect(choose(wanted)).toBe(language);
});

test("an unknown language falls back to English", () => {
  expect(speech("xx").say("menu.back-up")).toBe("Back Up Now");
});

test("values are filled in, and numbers take their form", () => {
  expect(speech("en").say("sessions.stop-label", { session: "shop-k3f9" })).toBe("Stop shop-k3f9");
  expect(speech("en").count("recovery.files", 1)).toBe("1 file");
  expect(speech("ru").count("recovery.files", 3)).toBe("3 файла");
  expect(speech("en").sayAny("session", "new-in-a-later-version")).toBe("new-in-a-later-version");
});
