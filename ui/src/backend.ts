// What the page asks of the app: each function is one command, its types are written from Rust's.
import { invoke } from "@tauri-apps/api/core";
import { listen } from "@tauri-apps/api/event";

import type { Always } from "./generated/Always";
import type { AtLogin } from "./generated/AtLogin";
import type { AuditLine } from "./generated/AuditLine";
import type { BackupReport } from "./generated/BackupReport";
import type { BroughtBack } from "./generated/BroughtBack";
import type { Check } from "./generated/Check";
import type { ConfigDeed } from "./generated/ConfigDeed";
import type { ConfigReport } from "./generated/ConfigReport";
import type { CopyName } from "./generated/CopyName";
import type { Decided } from "./generated/Decided";
import type { Deed } from "./generated/Deed";
import type { DeployDeed } from "./generated/DeployDeed";
import type { Deploying } from "./generated/Deploying";
import type { Differing } from "./generated/Differing";
import type { Doing } from "./generated/Doing";
import type { DriftDeed } from "./generated/DriftDeed";
import type { Drill } from "./generated/Drill";
import type { EngineError } from "./generated/EngineError";
import type { EventLine } from "./generated/EventLine";
import type { GitopsStatus } from "./generated/GitopsStatus";
import type { Held } from "./generated/Held";
import type { Hit } from "./generated/Hit";
import type { Judged } from "./generated/Judged";
import type { Listed } from "./generated/Listed";
import type { ListedSnapshot } from "./generated/ListedSnapshot";
import type { Metrics } from "./generated/Metrics";
import type { NotificationsAllowed } from "./generated/NotificationsAllowed";
import type { Overview } from "./generated/Overview";
import type { Page } from "./generated/Page";
import type { Past } from "./generated/Past";
import type { Plan } from "./generated/Plan";
import type { Report } from "./generated/Report";
import type { Setting } from "./generated/Setting";
import type { SpanLine } from "./generated/SpanLine";
import type { Undone } from "./generated/Undone";
import type { Way } from "./generated/Way";

const call = <T>(name: string, given?: Record<string, unknown>): Promise<T> => invoke<T>(name, given);

export const backend = {
  overview: () => call<Overview | null>("overview"),
  doings: () => call<Doing[]>("doings"),
  failure: () => call<EngineError | null>("failure"),
  stopDoing: (deed: Deed) => call<null>("stop_doing", { deed }),
  lookAgain: () => call<null>("look_again"),
  closePopover: () => call<null>("close_popover"),
  openPage: (page: Page) => call<null>("open_page", { page }),

  launch: (project: string) => call<null>("launch_session", { project }),
  chooseProject: () => call<null>("choose_project"),
  attach: (session: string) => call<null>("attach_session", { session }),
  stop: (session: string) => call<null>("stop_session", { session }),

  plan: () => call<Plan>("plan_recovery"),
  recover: (plan: string) => call<Report>("recover", { plan }),
  undoRecovery: (recovery: string) => call<Undone>("undo_recovery", { recovery }),
  recoveries: () => call<Past[]>("recoveries"),

  held: () => call<Held[]>("held_changes"),
  heldDiff: (id: string) => call<string>("held_diff", { id }),
  approve: (id: string) => call<Decided>("approve_held", { id }),
  approveAlways: (id: string) => call<Decided>("approve_held_always", { id }),
  always: () => call<Always[]>("held_always"),
  forgetAlways: (rule: string) => call<Always[]>("forget_held_always", { rule }),
  reject: (id: string) => call<Decided>("reject_held", { id }),
  undoHeld: (id: string) => call<Decided>("undo_held", { id }),

  deployment: () => call<Deploying | null>("deployment"),
  tryNewest: (version: string | null) => call<Deploying | null>("try_newest", { version }),
  steerDeployment: (deed: DeployDeed) => call<Deploying | null>("steer_deployment", { deed }),

  configuration: () => call<GitopsStatus | null>("configuration"),
  differing: () => call<Differing>("configuration_differing"),
  judge: (id: string) => call<Judged>("judge_configuration", { id }),
  approveConfiguration: (id: string) => call<ConfigReport>("approve_configuration", { id }),
  steerConfiguration: (deed: ConfigDeed) => call<ConfigReport>("steer_configuration", { deed }),
  settleDrift: (place: string, deed: DriftDeed) => call<ConfigReport>("settle_drift", { place, deed }),
  configurationLog: () => call<AuditLine[]>("configuration_log"),
  proveLog: () => call<number>("prove_configuration_log"),

  backUp: () => call<BackupReport>("back_up_now"),
  saveSheet: () => call<string | null>("save_sheet"),
  confirmSheet: (lastGroup: string) => call<null>("confirm_sheet", { lastGroup }),
  pause: (hours: number) => call<null>("pause_backups", { hours }),
  goOn: () => call<null>("resume_backups"),
  snapshots: () => call<ListedSnapshot[]>("snapshots"),
  browse: (snapshot: string, folder: string) => call<Listed[]>("browse_snapshot", { snapshot, folder }),
  find: (text: string) => call<Hit[]>("find_conversations", { text }),
  bringBack: (snapshot: string, paths: string[]) => call<BroughtBack>("bring_back", { snapshot, paths }),
  prove: (copy: CopyName) => call<Drill>("prove_copy", { copy }),

  events: () => call<EventLine[]>("events"),
  errors: () => call<EventLine[]>("errors"),
  spans: (trace: string | null) => call<SpanLine[]>("spans", { trace }),
  metrics: () => call<Metrics>("metrics"),

  settings: () => call<Setting[]>("settings"),
  set: (key: string, value: string) => call<Setting[]>("set_setting", { key, value }),
  notificationsAllowed: () => call<NotificationsAllowed>("notifications_allowed"),
  askForNotifications: () => call<NotificationsAllowed>("ask_for_notifications"),
  atLogin: () => call<AtLogin>("at_login"),
  setAtLogin: (wanted: AtLogin) => call<AtLogin>("set_at_login", { wanted }),

  checks: () => call<Check[]>("checks"),
  loginWays: () => call<Way[]>("login_ways"),
  buildImage: () => call<string>("build_session_image"),
};

/** What the app tells by itself. */
export const hear = {
  overview: (told: (overview: Overview) => void) => listen<Overview>("overview", (event) => told(event.payload)),
  doings: (told: (doings: Doing[]) => void) => listen<Doing[]>("doing", (event) => told(event.payload)),
  page: (told: (page: Page) => void) => listen<Page>("page", (event) => told(event.payload)),
  configuration: (told: () => void) => listen("configuration", () => told()),
  failure: (told: () => void) => listen("failed", () => told()),
};

/** What a command refused with: the engine's own error, or what went wrong on the way to it. */
export function asError(cause: unknown): EngineError {
  if (typeof cause === "object" && cause !== null && "code" in cause && "message" in cause) {
    return cause as EngineError;
  }
  return { code: "internal", message: cause instanceof Error ? cause.message : String(cause) };
}
