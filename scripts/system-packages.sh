#!/usr/bin/env bash
# Installs what the tests take from the system: the MariaDB server with the headers that its Python driver is compiled
# against, a browser, and what checks the files of docs/deployment. Only as root and where there is apt-get; otherwise it
# says what is missing.
set -euo pipefail

packages=()
PATH="$PATH:/usr/sbin"
command -v mariadbd >/dev/null || packages+=(mariadb-server)
command -v pkg-config >/dev/null || packages+=(pkg-config)
command -v cc >/dev/null || packages+=(gcc libc6-dev)
{ command -v pkg-config >/dev/null && pkg-config --exists libmariadb; } || packages+=(libmariadb-dev)
command -v chromium >/dev/null || command -v google-chrome >/dev/null || packages+=(chromium)
command -v systemd-analyze >/dev/null || packages+=(systemd)
command -v nginx >/dev/null || packages+=(nginx-light)
command -v caddy >/dev/null || packages+=(caddy)
# It reads files without a daemon.
command -v docker-compose >/dev/null || packages+=(docker-compose)
[ "${#packages[@]}" -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "Not installed: ${packages[*]}. The tests that need them are skipped."
    exit 0
fi

echo "Installing with apt-get: ${packages[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
# A server that is installed must not start by itself: the tests start their own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
if ! { apt-get update && apt-get install --yes --no-install-recommends "${packages[@]}"; } >"$log" 2>&1; then
    tail -n 5 "$log"
    echo "They could not be installed. The tests that need them are skipped; the whole log: $log"
    exit 0
fi
rm -f "$log"
