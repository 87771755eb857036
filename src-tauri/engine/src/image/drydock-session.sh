#!/bin/sh
# The first program of a session: checks what was brought in, then becomes Claude Code.
# Exit codes 121 and 122 are Drydock's own; the reason stands in ~/.drydock/refused.
set -eu
own="$HOME/.drydock"

refuse() {
    printf '%s\n' "$2" >"$own/refused"
    exit "$1"
}

# Each file is compared with the digest it had on the host, by this container's own eyes.
if [ -f "$own/manifest.sha256" ]; then
    if [ -s "$own/manifest.sha256" ]; then
        (cd "$HOME" && sha256sum --check --quiet --strict .drydock/manifest.sha256 >"$own/differs" 2>&1) ||
            refuse 121 "$(head -n 5 "$own/differs")"
    fi
    rm -f "$own/manifest.sha256" "$own/differs"
fi

# Keys and tokens come in a file that is gone before Claude Code starts, so that they stand neither
# in the container's configuration nor anywhere a later program could read them from disk.
if [ -f "$own/environment" ]; then
    . "$own/environment"
    rm -f "$own/environment"
fi

command -v claude >/dev/null 2>&1 || refuse 122 "the image has no claude program"

# Started again after an interruption: go on with the conversation that was interrupted.
if [ -f "$own/started" ]; then
    set -- --continue "$@"
fi
: >"$own/started"
exec claude "$@"
