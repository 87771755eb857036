#!/usr/bin/env bash
# Fuzzes each target for so many seconds (600 if nothing is said), one after the other. Needs rustup's nightly.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

seconds=${1:-600}
shift || true
targets=("$@")
((${#targets[@]})) || targets=(json_merge transcript_merge tar_reader protocol)

if ! has cargo-fuzz; then
  say "building cargo-fuzz (once, some minutes)"
  env -u CARGO_TARGET_DIR cargo install --quiet --locked --root "$cache/tools" cargo-fuzz
fi

# The program for containers is not what is fuzzed through the engine.
export DRYDOCK_INSIDE=none CARGO_TARGET_DIR=$CARGO_TARGET_DIR-fuzz
cd tests/fuzz
for target in "${targets[@]}"; do
  say "fuzzing $target for $seconds s"
  # What is found new stays out of the repository, whose corpus is kept small by hand: cargo fuzz cmin.
  mkdir -p "$CARGO_TARGET_DIR/corpus/$target"
  RUSTUP_TOOLCHAIN=nightly cargo fuzz run --fuzz-dir . "$target" "$CARGO_TARGET_DIR/corpus/$target" "corpus/$target" -- \
    -max_total_time="$seconds" -max_len=8192 -rss_limit_mb=4096 -print_final_stats=1
done
