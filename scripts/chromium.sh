#!/usr/bin/env bash
# Sees to it that the browser tests find a Chromium: one that is there, else apt where we are root, else Playwright's.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly PLAYWRIGHT=.venv/bin/playwright

can_apt() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null
}

apt_install() {
    echo "Installing $1 with apt"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$1" >/dev/null
}

# Ubuntu's package is a stub that only says "install the snap": it must run to count.
find_chromium() {
    local name
    for name in chromium chromium-browser google-chrome; do
        if command -v "$name" >/dev/null && "$name" --version >/dev/null 2>&1; then
            echo "browser: $(command -v "$name")"
            return
        fi
    done
    return 1
}

# Playwright talks to the browser through a Node of its own, which needs a library that a minimal Debian lacks.
see_to_the_driver() {
    "$PLAYWRIGHT" --version >/dev/null 2>&1 && return
    if can_apt && apt_install libatomic1 && "$PLAYWRIGHT" --version >/dev/null 2>&1; then
        return
    fi
    "$PLAYWRIGHT" --version >/dev/null || true
    echo "Playwright's driver does not start, see above. On Debian or Ubuntu: apt install libatomic1" >&2
    exit 1
}

see_to_the_driver
find_chromium && exit
if can_apt && apt_install chromium && find_chromium; then
    exit
fi
echo "Installing Playwright's Chromium"
"$PLAYWRIGHT" install chromium || {
    echo "No Chromium for the browser tests: none of chromium, chromium-browser, google-chrome is there, and neither" >&2
    echo "apt (as root) nor Playwright could install one. Install one and run make test again." >&2
    exit 1
}
