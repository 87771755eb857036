# shellcheck shell=bash
# What the scripts share. Sourced, from anywhere; leaves the shell in the repository's folder.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

cache=${XDG_CACHE_HOME:-$HOME/.cache}/drydock
mkdir -p "$cache"
# Outside the repository, so that a fresh clone builds quickly.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
# cargo where rustup has just put it, tools that setup builds for these scripts alone, and dockerd and debootstrap,
# which are not on everybody's path.
export PATH="$PATH:$HOME/.cargo/bin:$cache/tools/bin:/usr/sbin:/sbin"

say() { printf '%s\n' "$*"; }
fail() {
  printf 'drydock: %s\n' "$*" >&2
  exit 1
}

on_macos() { [[ $(uname -s) == Darwin ]]; }
has() { command -v "$1" >/dev/null 2>&1; }
has_display() { on_macos || [[ -n ${DISPLAY:-}${WAYLAND_DISPLAY:-} ]]; }
# Runs a command for so many seconds at most; macOS has no `timeout`, and waits.
limit() { if has timeout; then timeout "$@"; else shift && "$@"; fi; }
as_root() { if ((EUID == 0)); then "$@"; else sudo "$@"; fi; }

# Whether version $1 is $2 or newer.
at_least() { [[ $(printf '%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]; }

# Whether a container engine answers at one of the places where Drydock looks.
engine_answers() {
  local socket
  # A context or DOCKER_HOST may name a place that is no socket of this machine; the client knows.
  if has docker && limit 10 docker version >/dev/null 2>&1; then return 0; fi
  if [[ -n ${DOCKER_HOST:-} ]]; then return 1; fi
  for socket in "$HOME/.orbstack/run/docker.sock" "$HOME/.docker/run/docker.sock" \
    "$HOME/.colima/default/docker.sock" "$HOME/.rd/docker.sock" "${XDG_RUNTIME_DIR:-/run/user/$UID}/docker.sock" \
    "${XDG_RUNTIME_DIR:-/run/user/$UID}/podman/podman.sock" /var/run/docker.sock; do
    if [[ -S $socket ]] && curl --silent --max-time 5 --unix-socket "$socket" http://engine/_ping >/dev/null 2>&1; then
      return 0
    fi
  done
  return 1
}

# Starts dockerd apart from this terminal, where no service manager does, and waits until it answers.
# Puts its process id in dockerd_pid.
start_dockerd() {
  local log=$cache/dockerd.log
  has dockerd || fail "dockerd is not installed: scripts/setup.sh run"
  ((EUID == 0)) || fail "only root can start dockerd here: sudo dockerd"
  setsid dockerd >"$log" 2>&1 </dev/null &
  dockerd_pid=$!
  for _ in $(seq 300); do
    if engine_answers; then return 0; fi
    kill -0 "$dockerd_pid" 2>/dev/null || break
    sleep 0.2
  done
  tail -n 5 "$log" >&2
  fail "dockerd did not start; its log: $log"
}

# Where no image registry can be reached, the session image stands on Debian's own packages instead.
choose_image_base() {
  local base=debian:bookworm-slim
  if [[ -n ${DRYDOCK_IMAGE_BASE:-} ]] || ! has docker || ! has debootstrap; then return; fi
  docker image inspect "$base" >/dev/null 2>&1 && return
  if ! limit 60 docker pull --quiet "$base" >/dev/null 2>&1; then
    say "$base cannot be pulled; the image will be made from Debian's packages"
    export DRYDOCK_IMAGE_BASE=debootstrap:bookworm
  fi
}

# Installs the page's packages where the lock file is newer than what is there.
install_ui() {
  [[ ui/node_modules/.package-lock.json -nt ui/package-lock.json ]] || npm --prefix ui ci --no-audit --no-fund
}

build_ui() {
  install_ui
  npm --prefix ui run build
}
