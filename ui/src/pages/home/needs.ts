// What wants the user, in words, with the one thing to do about it.
import { backend } from "../../backend";
import { attempt, go } from "../../desk.svelte";
import type { Need } from "../../generated/Need";
import { ago } from "../../words/format";
import { count, language, say } from "../../words/speak";

export interface Wanted {
  text: string;
  label: string;
  act: () => void;
}

export function wanted(need: Need, now: Date): Wanted {
  const backUp = { label: say("do.back-up"), act: () => attempt(backend.backUp) };
  switch (need.is) {
    case "damaged":
      return { text: count("need.damaged", need.count), label: say("do.recover"), act: () => go("recovery") };
    case "recovery-failed":
      return { text: say("need.recovery-failed"), label: say("do.recover"), act: () => go("recovery") };
    case "backup-old":
      return { text: say("need.backup-old", { ago: ago(language, new Date(need.as_of), now) }), ...backUp };
    case "backup-failing":
      return { text: say("need.backup-failing"), ...backUp };
    case "held":
      return { text: count("need.held", need.count), label: say("do.review"), act: () => go("held") };
    case "configuration-held":
      return {
        text: count("need.configuration-held", need.count),
        label: say("do.review-configuration"),
        act: () => go("configuration"),
      };
    case "data-inside":
      return {
        text: count("need.data-inside", need.count),
        label: say("common.retry"),
        act: () => attempt(backend.lookAgain),
      };
    case "engine-missing":
      return { text: say("need.engine-missing"), label: say("do.set-up"), act: () => go("setup") };
    case "login-undecided":
      return { text: say("need.login-undecided"), label: say("do.choose-login"), act: () => go("setup") };
    case "no-backup":
      return { text: say("need.no-backup"), ...backUp };
    case "copy-failing":
      return {
        text: say("need.copy-failing", { copy: say(`copy.${need.copy}`) }),
        label: say("do.look-at-backups"),
        act: () => go("backups"),
      };
    case "one-disk":
      return { text: say("need.one-disk"), label: say("do.add-copy"), act: () => go("settings") };
    case "alert":
      return { text: need.title, label: say("do.show"), act: () => go(need.page) };
    case "sheet-unsaved":
      return { text: say("need.sheet-unsaved"), label: say("do.look-at-backups"), act: () => go("backups") };
  }
}
