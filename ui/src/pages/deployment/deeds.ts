import type { DeployDeed } from "../../generated/DeployDeed";
import type { Deploying } from "../../generated/Deploying";

/** What the user can do with what is tried, as it stands. */
export function deeds(deploying: Deploying): DeployDeed[] {
  switch (deploying.state) {
    case "building":
    case "smoke":
      return ["take-back"];
    case "stage":
      return ["promote", "pause", "take-back"];
    case "paused":
      return ["go-on", "promote", "take-back"];
    case "taken-back":
      return ["seen"];
    case "succeeded":
      return ["take-back"];
    case "given-up":
    case "superseded":
      return [];
  }
}
