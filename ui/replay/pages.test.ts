// Every page in Chromium with the app's answers replayed: for everyone's eyes and hands, in both languages.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import axe from "axe-core";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";
import { build, preview, type PreviewServer } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";

const PAGES = ["home", "recovery", "held", "backups", "activity", "deployment", "configuration", "settings", "setup"];
const SCENES = ["damaged", "nothing"];
/** Other states of a page's own. */
const MORE: Record<string, string[]> = { configuration: ["settled", "suspended"] };

let folder: string;
let server: PreviewServer;
let browser: Browser;
let address: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "drydock-replay-"));
  const given = { configFile: "vite.config.ts", root: "replay", logLevel: "warn" } as const;
  await build({ ...given, build: { outDir: folder, emptyOutDir: true } });
  server = await preview({ ...given, build: { outDir: folder }, preview: { port: 0 } });
  address = server.resolvedUrls?.local[0] ?? "";
  // Tests run as root in containers, where Chromium's own sandbox cannot be.
  browser = await chromium.launch({ executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await server?.close();
  await rm(folder, { recursive: true, force: true });
});

async function open(scene: string, page: string, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 960, height: 640 }, reducedMotion: "reduce", ...options });
  const shown = await context.newPage();
  shown.on("pageerror", (error) => expect.fail(`${scene} ${page}: ${error.message}`));
  await shown.goto(`${address}index.html?scene=${scene}#${page}`);
  await shown.waitForFunction(() => document.querySelector("main h1") && !document.querySelector(".skeleton"));
  return shown;
}

const overflow = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const main = document.querySelector("main");
    if (!main) return ["no page"];
    const wide = [...main.querySelectorAll<HTMLElement>("*")].filter((one) => {
      const cut = ["hidden", "auto"].includes(getComputedStyle(one.parentElement ?? one).overflowX);
      return !cut && one.getBoundingClientRect().right > innerWidth + 1 && !one.closest("pre, .visually-hidden");
    });
    return wide.map((one) => `${one.tagName} ${one.className}`);
  });

const scenesOf = (page: string): string[] => [...SCENES, ...(MORE[page] ?? [])];

/** As far as somebody goes on a page to see all of it. */
async function lookClosely(shown: Page, page: string, scene: string): Promise<void> {
  if (page === "held" && scene === "damaged") await shown.click("main li button");
  if (page === "configuration" && scene === "damaged") {
    await shown.click("main li button[aria-expanded]");
    await shown.waitForSelector("main li pre");
  }
  if (page === "setup") {
    await shown.click("main button");
    await shown.waitForSelector("fieldset label");
  }
}

test.each(PAGES.flatMap((page) => scenesOf(page).map((scene) => [page, scene] as const)))(
  "%s (%s) is for everyone, in light and dark",
  async (page, scene) => {
    for (const colorScheme of ["light", "dark"] as const) {
      const shown = await open(scene, page, { colorScheme });
      await lookClosely(shown, page, scene);
      await shown.evaluate(axe.source);
      const found = await shown.evaluate(() => (window as unknown as { axe: typeof axe }).axe.run());
      expect(found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(" ")}`)).toEqual([]);
      await shown.context().close();
    }
  },
  60_000,
);

test.each(PAGES)("%s fits a window of 360 points, in both languages, and at 200 percent", async (page) => {
  for (const locale of ["en-GB", "ru-RU"]) {
    for (const scene of [...scenesOf(page), "busy"]) {
      const shown = await open(scene, page, { locale, viewport: { width: 360, height: 640 } });
      await lookClosely(shown, page, scene);
      expect(await shown.evaluate(() => document.documentElement.lang)).toBe(locale.slice(0, 2));
      expect(await overflow(shown), `${scene} ${locale}`).toEqual([]);
      await shown.context().close();
    }
    // 720 points wide at 200 percent are 360 of them.
    const zoomed = await open("damaged", page, { locale, viewport: { width: 360, height: 320 }, deviceScaleFactor: 2 });
    expect(await overflow(zoomed), `zoomed ${locale}`).toEqual([]);
    await zoomed.context().close();
  }
}, 120_000);

/** Goes on by the Tab key until it is at a button of this name. */
const keysOn = (shown: Page) => async (name: string): Promise<void> => {
  for (let step = 0; step < 40; step += 1) {
    await shown.keyboard.press("Tab");
    const focused = await shown.evaluate(() => document.activeElement?.textContent?.trim());
    if (focused === name) return;
  }
  expect.fail(`keys do not reach ${name}`);
};
const askedOf = (shown: Page): Promise<string[]> => shown.evaluate(() => (window as unknown as { asked: string[] }).asked);

test("recovery goes by keys alone", async () => {
  const shown = await open("damaged", "home");
  const until = keysOn(shown);
  await until("Recover…");
  await shown.keyboard.press("Enter");
  await shown.waitForSelector("#plan");
  await until("Recover 3 files");
  await shown.keyboard.press("Enter");
  await shown.waitForSelector("#report");
  await until("Undo");
  await shown.keyboard.press("Enter");
  await shown.waitForSelector("text=Undone: 1 file is as it was before.");
  const asked = await askedOf(shown);
  expect(asked.filter((name) => ["plan_recovery", "recover", "undo_recovery"].includes(name))).toEqual([
    "plan_recovery",
    "recover",
    "undo_recovery",
  ]);
}, 60_000);

test("ten thousand events are a screenful of rows, wherever one scrolls", async () => {
  const shown = await open("well", "activity");
  const list = shown.locator(".list");
  for (const at of [0, 0.5, 1]) {
    await list.evaluate((one, part) => (one.scrollTop = one.scrollHeight * part), at);
    await shown.waitForTimeout(50);
    const rows = await list.evaluate((one) => {
      const box = one.getBoundingClientRect();
      const seen = [...one.querySelectorAll("li")].filter((row) => {
        const { top, bottom } = row.getBoundingClientRect();
        return bottom > box.top && top < box.bottom;
      });
      return { all: one.querySelectorAll("li").length, seen: seen.length, height: box.height };
    });
    expect(rows.all).toBeLessThan(60);
    expect(rows.seen).toBeGreaterThanOrEqual(Math.floor(rows.height / 32) - 1);
  }
}, 60_000);

test("nothing is approved or chosen before somebody does", async () => {
  const shown = await open("damaged", "held");
  expect(await shown.locator("[aria-pressed=true], article").count()).toBe(0);
  await shown.click("main li button");
  await shown.waitForSelector("article pre");
  expect(await shown.evaluate(() => document.activeElement?.textContent)).not.toMatch(/Approve/);
  expect(await askedOf(shown)).not.toContain("approve_held");
}, 60_000);

test("what is let through each time is shown, and taken back", async () => {
  const shown = await open("damaged", "held");
  await shown.click("main li button");
  await shown.click("text=Approve Always for This Project");
  await expect.poll(() => askedOf(shown)).toContain("approve_held_always");
  await shown.click("text=Let Nothing More Through");
  await shown.waitForSelector("#always", { state: "detached" });
  expect(await askedOf(shown)).toContain("forget_held_always");
}, 60_000);

test("a change of the configuration is looked at before it is approved, by keys alone", async () => {
  const shown = await open("damaged", "configuration");
  const until = keysOn(shown);
  expect(await shown.locator("main li pre").count()).toBe(0);
  expect(await shown.locator("button", { hasText: /^Approve$/ }).count()).toBe(0);
  await until("Look at It");
  await shown.keyboard.press("Enter");
  await shown.waitForSelector("text=Would run on this computer");
  // The first that waits is a server; the scene answers with the hook, whatever is asked for.
  expect(await shown.locator("main li pre").innerText()).toContain("guard.sh --strict");
  expect(await askedOf(shown)).not.toContain("approve_configuration");
  await until("Approve");
  await shown.keyboard.press("Enter");
  await shown.waitForSelector("text=1 thing was changed.");
  expect(await askedOf(shown)).toContain("approve_configuration");
}, 60_000);

test("what differs goes either way, and the log is proven", async () => {
  const shown = await open("damaged", "configuration");
  await shown.click("text=Bring Back What Git Says");
  await shown.waitForSelector("text=1 thing was changed.");
  await shown.click("text=Prove the Log");
  await shown.waitForSelector("text=14 lines are proven");
  expect(await askedOf(shown)).toEqual(expect.arrayContaining(["settle_drift", "prove_configuration_log"]));
}, 60_000);

test("a newer Claude Code is offered in one line, and tried by one click", async () => {
  const shown = await open("damaged", "home");
  await shown.waitForSelector("text=Claude Code 2.1.352 is out");
  await shown.click("text=Try It");
  expect(await askedOf(shown)).toContain("try_newest");
  const quiet = await open("nothing", "home");
  expect(await quiet.locator("#newer").count()).toBe(0);
}, 60_000);
