#!/usr/bin/env bash
# Builds Drydock and starts it: the app where there is a display and nothing is asked of a session, else a session
# here in this terminal.
# Usage: scripts/run.sh PROJECT [ARGUMENTS OF `drydock run`]
project=$(cd "${1:?the project\'s folder}" && pwd)
shift
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

scripts/setup.sh run

if has_display && (($# == 0)); then
  build_ui
  cargo build --package drydock-app --package drydock-cli
  exec "$CARGO_TARGET_DIR/debug/drydock-app"
fi

cargo build --package drydock-cli
choose_image_base
exec "$CARGO_TARGET_DIR/debug/drydock" run "$project" "$@"
