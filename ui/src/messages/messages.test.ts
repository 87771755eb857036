import { expect, test } from "vitest";

import en from "./en.json";
import { choose, words } from "./messages";
import ru from "./ru.json";

test("both languages say the same things", () => {
  expect(Object.keys(ru).sort()).toEqual(Object.keys(en).sort());
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
  expect(words("xx")("menu.open")).toBe("Open Drydock");
});
