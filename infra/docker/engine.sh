#!/usr/bin/env bash
# A Docker engine and its Compose plugin out of Debian's packages, where there is none: for machines that come and go, as of continuous integration. A daemon that is
# started is ended by whoever has called: its process id stands in the file that is named.
#
#   sudo infra/docker/engine.sh PID_FILE
#
# Needs Debian, root, and a kernel that lets root have bridges and overlays.
set -euo pipefail
pid_file=${1:?the file for the process id of a daemon that is started}

plugin() { docker compose version >/dev/null 2>&1; }

if ! command -v dockerd >/dev/null || ! command -v debootstrap >/dev/null; then
    apt-get -qq update
    # Installing it starts nothing: what is started, this script does, and who called it ends it.
    policy=/usr/sbin/policy-rc.d
    made=
    if [ ! -e "$policy" ]; then
        made=$policy
        trap 'rm -f "$made"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends docker.io debootstrap iptables binutils >/dev/null
    trap - EXIT
    ${made:+rm -f "$made"}
fi
# Bookworm has Compose 1 only: the plugin is taken out of the next suite's package, by the same keys, and nothing else of that suite is installed.
if ! plugin; then
    apt=$(mktemp -d)
    trap 'rm -rf "$apt"' EXIT
    mkdir -p "$apt"/lists/partial "$apt"/archives/partial "$apt"/debs
    # Wherever this machine has its packages from.
    site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | sed -n 1p)
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${site:?apt names no place of packages} trixie main" >"$apt/sources"
    options=(-o "Dir::Etc::sourcelist=$apt/sources" -o Dir::Etc::sourceparts=/dev/null -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt"
        -o Acquire::Languages=none -o APT::Sandbox::User=root)
    apt-get -qq "${options[@]}" update
    (cd "$apt/debs" && apt-get -qq "${options[@]}" download docker-compose/trixie)
    dpkg-deb --extract "$apt"/debs/docker-compose_*.deb "$apt/tree"
    mkdir -p ~/.docker/cli-plugins
    cp "$apt/tree/usr/libexec/docker/cli-plugins/docker-compose" ~/.docker/cli-plugins/
    plugin
fi
if ! docker version >/dev/null 2>&1; then
    log=$(dirname "$pid_file")/dockerd.log
    setsid dockerd >"$log" 2>&1 </dev/null &
    echo $! >"$pid_file"
    for _ in $(seq 60); do
        if docker version >/dev/null 2>&1; then exit 0; fi
        kill -0 "$(cat "$pid_file")" 2>/dev/null || break
        sleep 0.5
    done
    tail -n 3 "$log" >&2
    echo 'the Docker daemon does not answer' >&2
    exit 1
fi
