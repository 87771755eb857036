// What the app told last: every page reads it here, and none asks for it again.
import { asError, backend, hear } from "./backend";
import type { Deed } from "./generated/Deed";
import type { Doing } from "./generated/Doing";
import type { EngineError } from "./generated/EngineError";
import type { Overview } from "./generated/Overview";
import type { Page } from "./generated/Page";

interface Desk {
  overview: Overview | null;
  doings: Doing[];
  /** What failed and belongs to no page. */
  failure: EngineError | null;
  page: Page;
  /** How often the configuration was told to stand otherwise. */
  configuration: number;
  now: Date;
}

const PAGES: Page[] = ["home", "recovery", "held", "backups", "activity", "deployment", "configuration", "settings", "setup"];
/** Relative times need not be truer than this. */
const TICK_MS = 20_000;

export function pageOf(address: string): Page {
  const word = address.replace(/^#/, "");
  return PAGES.find((page) => page === word) ?? "home";
}

export const desk: Desk = $state({
  overview: null,
  doings: [],
  failure: null,
  page: pageOf(location.hash),
  configuration: 0,
  now: new Date(),
});

export const doing = (deed: Deed): Doing | undefined => desk.doings.find((one) => one.deed === deed);

/** The popover has one page; the others are in the main window. */
export const isPopover = location.search === "?popover";

export function go(page: Page): void {
  if (isPopover) attempt(() => backend.openPage(page));
  else location.hash = page;
}

/** Hears first and asks then, so that nothing falls between the two. */
export async function begin(): Promise<void> {
  addEventListener("hashchange", () => (desk.page = pageOf(location.hash)));
  setInterval(() => (desk.now = new Date()), TICK_MS);
  await Promise.all([
    hear.overview((overview) => Object.assign(desk, { overview, now: new Date() })),
    hear.doings((doings) => (desk.doings = doings)),
    hear.page((page) => (location.hash = isPopover ? "home" : page)),
    hear.configuration(() => (desk.configuration += 1)),
    hear.failure(() => void takeFailure()),
  ]);
  const [overview, doings] = await Promise.all([backend.overview(), backend.doings()]);
  desk.overview ??= overview;
  desk.doings = doings;
  await takeFailure();
}

async function takeFailure(): Promise<void> {
  desk.failure = (await backend.failure()) ?? desk.failure;
}

/** Does something for which no page waits; what fails is shown above the page. */
export function attempt(deed: () => Promise<unknown>): void {
  deed().catch((cause: unknown) => (desk.failure = asError(cause)));
}
