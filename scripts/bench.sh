#!/usr/bin/env bash
# How long a session takes to its first output, beside a bare `docker run` of the same image, measured in one run.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

scripts/setup.sh run
engine_answers || fail "no container engine answers: make run sets one up"
choose_image_base
cargo build --release --package drydock-cli
DRYDOCK_BIN=$CARGO_TARGET_DIR/release/drydock cargo bench --package drydock-tests --bench launch
