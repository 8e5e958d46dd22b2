#!/usr/bin/env bash
# Builds the images of other people that the system needs, out of Debian's packages (debootstrap), where none can be pulled: redoubt/debian:offline, redoubt/redis:offline
# and redoubt/postgres:offline.
#
#   sudo infra/docker/offline-bases.sh
#   REDOUBT_POSTGRES_IMAGE=redoubt/postgres:offline REDOUBT_REDIS_IMAGE=redoubt/redis:offline cargo xtask test --containers
#
# What is there stays (`docker image rm redoubt/debian:offline` has it built anew). Needs root, debootstrap and a Docker daemon.
set -euo pipefail
cd "$(dirname "$0")/../.."

suite=${DEBIAN_SUITE:-bookworm}
# Empty: debootstrap's own default.
mirror=${DEBIAN_MIRROR:-}

for tool in debootstrap docker tar; do
    command -v "$tool" >/dev/null || { echo "$tool is not here: sudo apt-get install debootstrap docker.io" >&2; exit 1; }
done
docker version >/dev/null || { echo "Docker does not answer: start its daemon (sudo dockerd)" >&2; exit 1; }

has() { docker image inspect "$1" >/dev/null 2>&1; }

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

# An image out of a directory, without what only installing needs.
pack() {
    local directory=$1
    shift
    rm -rf "$directory"/var/cache/apt/* "$directory"/var/lib/apt/lists/* "$directory"/usr/share/doc "$directory"/usr/share/man \
        "$directory"/usr/share/locale
    tar -C "$directory" -c . | docker import "$@" >/dev/null
}

if ! has redoubt/debian:offline || ! has redoubt/redis:offline; then
    debootstrap --variant=minbase --include=ca-certificates "$suite" "$root/debian" ${mirror:+"$mirror"}
    cp -a "$root/debian" "$root/redis"
    pack "$root/debian" - redoubt/debian:offline
    echo "built redoubt/debian:offline"
    # Its start script is for an init system that is not there.
    printf '#!/bin/sh\nexit 101\n' > "$root/redis/usr/sbin/policy-rc.d"
    chmod 755 "$root/redis/usr/sbin/policy-rc.d"
    chroot "$root/redis" apt-get update --quiet
    DEBIAN_FRONTEND=noninteractive chroot "$root/redis" apt-get install --quiet --yes --no-install-recommends redis-server
    pack "$root/redis" - redoubt/redis:offline
    echo "built redoubt/redis:offline"
fi
has redoubt/postgres:offline || infra/docker/postgres-image.sh redoubt/postgres:offline
