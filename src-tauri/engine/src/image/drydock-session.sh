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
        if [ -x "$own/inside" ]; then
            # Several times as quick: on all processors, with their own instructions for digests.
            "$own/inside" check "$HOME" "$own/manifest.sha256" >"$own/differs" 2>&1
        else
            (cd "$HOME" && sha256sum --check --quiet --strict .drydock/manifest.sha256 >"$own/differs" 2>&1)
        fi ||
            refuse 121 "$(head -n 5 "$own/differs")"
    fi
    rm -f "$own/manifest.sha256" "$own/differs" "$own/inside"
fi

# Keys and tokens come in a file that is gone before Claude Code starts, so that they stand neither
# in the container's configuration nor anywhere a later program could read them from disk.
if [ -f "$own/environment" ]; then
    # shellcheck disable=SC1091 # it is made for each session
    . "$own/environment"
    rm -f "$own/environment"
fi

command -v claude >/dev/null 2>&1 || refuse 122 "the image has no claude program"

# Whether this session has written a conversation since it was first started.
has_conversation() {
    [ -n "$(find "${CLAUDE_CONFIG_DIR:-$HOME/.claude}/projects" -name '*.jsonl' -newer "$own/started" 2>/dev/null | head -n 1)" ]
}

# Started again after an interruption: go on with the conversation that was interrupted. Of the
# arguments only those stay that say how Claude Code works; what to do has been said already.
if [ -f "$own/started" ] && has_conversation; then
    left=$#
    while [ "$left" -gt 0 ]; do
        word=$1
        shift
        left=$((left - 1))
        case $word in
        --model | --fallback-model | --permission-mode | --effort | --agent)
            if [ "$left" -gt 0 ]; then
                set -- "$@" "$word" "$1"
                shift
                left=$((left - 1))
            fi
            ;;
        --model=* | --fallback-model=* | --permission-mode=* | --effort=* | --agent=* | \
            --dangerously-skip-permissions | --allow-dangerously-skip-permissions | --strict-mcp-config | --verbose)
            set -- "$@" "$word"
            ;;
        esac
    done
    set -- --continue "$@"
fi
[ -f "$own/started" ] || : >"$own/started"
exec claude "$@"
