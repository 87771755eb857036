#!/usr/bin/env bash
# What the app costs, how long a session takes to its first output, and what sync, backups and a look at all data
# cost, beside the tools that people would use instead, each measured in one run.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

scripts/setup.sh run
engine_answers || fail "no container engine answers: make run sets one up"
choose_image_base
cargo build --release --package drydock-cli
if ! on_macos && has Xvfb; then
  build_ui
  cargo build --release --package drydock-app
  DRYDOCK_APP_BIN=$CARGO_TARGET_DIR/release/drydock-app cargo bench --package drydock-tests --bench app
fi
DRYDOCK_BIN=$CARGO_TARGET_DIR/release/drydock cargo bench --package drydock-tests --bench launch
DRYDOCK_BIN=$CARGO_TARGET_DIR/release/drydock cargo bench --package drydock-tests --bench sync
DRYDOCK_BIN=$CARGO_TARGET_DIR/release/drydock cargo bench --package drydock-tests --bench backup
DRYDOCK_BIN=$CARGO_TARGET_DIR/release/drydock cargo bench --package drydock-tests --bench validate
cargo bench --package drydock-engine --bench events
