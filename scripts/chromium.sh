#!/usr/bin/env bash
# Sees to it that the browser tests find a Chromium: one that is there, else apt where we are root, else Playwright's.
set -euo pipefail
cd "$(dirname "$0")/.."

for name in chromium chromium-browser google-chrome; do
    # Ubuntu's package is a stub that only says "install the snap": it must run to count.
    if command -v "$name" >/dev/null && "$name" --version >/dev/null 2>&1; then
        echo "browser: $(command -v "$name")"
        exit 0
    fi
done

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Chromium with apt"
    if apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null &&
        chromium --version >/dev/null 2>&1; then
        exit 0
    fi
    echo "apt has no Chromium that runs here; trying Playwright's" >&2
fi

echo "Installing Playwright's Chromium"
.venv/bin/playwright install chromium || {
    echo "No Chromium for the browser tests: none of chromium, chromium-browser, google-chrome is there, and neither" >&2
    echo "apt (as root) nor Playwright could install one. Install one and run make test again." >&2
    exit 1
}
