#!/usr/bin/env bash
# Type-checks everything for macOS, warnings denied, on a machine that is no Mac and has no Apple SDK.
# What it cannot do is link or run: docs/mac-verification.md lists what that leaves.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The app embeds its page while it is compiled.
[[ -f ui/dist/index.html ]] || build_ui

if on_macos; then
  exec cargo clippy --workspace --all-targets -- --deny warnings
fi

# Debian's rustc comes with the standard library's source, from which cargo makes one for macOS: rustup would have
# to download it. Building it needs nightly's options, which RUSTC_BOOTSTRAP opens.
rustc=/usr/bin/rustc
library=$("$rustc" --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library
if [[ ! -d $library ]] || ! has clang; then
  fail "check-macos needs clang, rustc-web and rust-web-src: scripts/setup.sh test"
fi

# Crates with C inside want a compiler and an archiver for macOS. Nothing is linked, so an empty object and an empty
# archive satisfy them.
stand_ins=$cache/macos-stand-ins
mkdir -p "$stand_ins"
clang --target=arm64-apple-macos11 -x c -c /dev/null -o "$stand_ins/empty.o"

cat >"$stand_ins/cc" <<SCRIPT
#!/bin/sh
# Answers questions about itself as clang, and compiles everything to nothing.
case " \$* " in *' -c '*) ;; *) exec clang --target=arm64-apple-macos11 "\$@" ;; esac
while [ \$# -gt 0 ]; do
  case \$1 in
  -o) cp '$stand_ins/empty.o' "\$2"; exit ;;
  -o*) cp '$stand_ins/empty.o' "\${1#-o}"; exit ;;
  esac
  shift
done
SCRIPT
cat >"$stand_ins/ar" <<'SCRIPT'
#!/bin/sh
# Writes an empty archive wherever one is asked for.
for word; do
  case $word in *.a) printf '!<arch>\n' >"$word" ;; esac
done
SCRIPT
chmod +x "$stand_ins/cc" "$stand_ins/ar"

export CC_aarch64_apple_darwin=$stand_ins/cc CXX_aarch64_apple_darwin=$stand_ins/cc AR_aarch64_apple_darwin=$stand_ins/ar
# Another compiler than everyday's must not share its build folder.
# The program for containers is Linux: there is nothing of it to check for a Mac.
export DRYDOCK_INSIDE=none RUSTC=$rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$CARGO_TARGET_DIR-macos
cargo check --workspace --all-targets --target aarch64-apple-darwin -Zbuild-std=std,panic_abort \
  -Zwarnings --config 'build.warnings="deny"'
