#!/usr/bin/env bash
# Everything that CI checks, from the quickest to the slowest. Stops at the first failure.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

steps=$(grep -c '^step ' scripts/test.sh)
number=0
dockerd_pid=
current="starting"

step() {
  current=$1
  shift
  number=$((number + 1))
  printf '\n[%d/%d] %s\n' "$number" "$steps" "$current"
  local begun=$SECONDS
  "$@"
  printf '[%d/%d] done in %d s\n' "$number" "$steps" "$((SECONDS - begun))"
}

finish() {
  local code=$?
  # A second Ctrl-C must not leave the engine behind.
  trap '' INT TERM
  if [[ -n $dockerd_pid ]]; then
    say "stopping the dockerd that the tests started"
    kill "$dockerd_pid" 2>/dev/null || true
    wait "$dockerd_pid" 2>/dev/null || true
  fi
  if ((code)); then
    printf '\nFAILED at step %d of %d: %s\n' "$number" "$steps" "$current" >&2
  else
    printf '\nall %d steps passed in %d s\n' "$steps" "$SECONDS"
  fi
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

check_scripts() { shellcheck --external-sources --source-path=SCRIPTDIR scripts/*.sh icons/*.sh .ci/run \
  src-tauri/engine/src/image/*.sh; }

check_advisories() {
  if cargo deny fetch db >"$cache/advisories.log" 2>&1; then
    cargo deny check advisories
  else
    say "NOT CHECKED: the RustSec advisory database cannot be fetched from here"
  fi
}

ensure_engine() {
  if engine_answers; then
    say "an engine answers already"
  else
    say "starting dockerd for the tests; its log: $cache/dockerd.log"
    start_dockerd
  fi
  choose_image_base
}

# What a window loads is small, so that it opens at once.
page_is_small() {
  local most=$((150 * 1024)) size
  size=$(cat ui/dist/assets/*.js ui/dist/assets/*.css | gzip --best | wc --bytes)
  say "the page is $((size / 1024)) KB, compressed"
  ((size < most)) || fail "the page may have $((most / 1024)) KB"
}

document() { RUSTDOCFLAGS="--deny warnings" cargo doc --package drydock-engine --no-deps; }

# Always the whole workspace: a part alone would resolve other features and build its dependencies again.
# All of them, also when one fails: it says the more.
test_from_outside() {
  DRYDOCK_BIN=$CARGO_TARGET_DIR/debug/drydock DRYDOCK_APP_BIN=$CARGO_TARGET_DIR/debug/drydock-app \
    cargo test --workspace --no-fail-fast --test '*' -- --test-threads=2
}

measure_launch() {
  DRYDOCK_BIN=$CARGO_TARGET_DIR/debug/drydock cargo test --workspace --bench launch
}

step "what the tests need is installed" scripts/setup.sh test
step "scripts are sound" check_scripts
step "Rust is formatted" cargo fmt --all --check
step "the page's packages" install_ui
step "the page's types" npm --prefix ui run check
step "the page's tests" npm --prefix ui test
step "every page in a browser, with the app's answers replayed" npm --prefix ui run replay
step "the page builds" npm --prefix ui run build
step "the page is small" page_is_small
step "licences, bans and sources of dependencies" cargo deny check --hide-inclusion-graph licenses bans sources
step "known vulnerabilities of dependencies" check_advisories
step "Rust has no warnings" cargo clippy --workspace --all-targets -- --deny warnings
step "the engine's documentation has no warnings" document
# No unit test asks the keyring of whoever runs them.
step "unit tests" env DBUS_SESSION_BUS_ADDRESS=unix:path=/nowhere cargo test --workspace --lib --bins
step "the programs build" cargo build --workspace
step "a container engine is there" ensure_engine
step "tests from outside" test_from_outside
step "how long a session takes to its first output" measure_launch
step "everything compiles for macOS" scripts/check-macos.sh
