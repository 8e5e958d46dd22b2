#!/usr/bin/env bash
# Builds every image of infra/compose/offline.yaml where no image can be pulled: the base out of Debian's packages (debootstrap), PostgreSQL and Redis likewise,
# the programs out of a directory where cargo has built them.
#
#   sudo infra/docker/offline-images.sh [DIRECTORY]          (default target/debug)
#
# Bases are built once and kept (`docker image rm redoubt/debian:offline` has it built anew); the programs' images each time. Needs root, debootstrap, a Docker
# daemon, and this machine to be that Debian, for the programs are linked with its C library.
set -euo pipefail
cd "$(dirname "$0")/../.."

programs=${1:-target/debug}
suite=${DEBIAN_SUITE:-bookworm}
# Empty: debootstrap's own default.
mirror=${DEBIAN_MIRROR:-}
services=$(sed -n 's|^\[services\.\([a-z0-9]*\)\]$|\1|p' infra/system.toml | paste -sd " " -)

for tool in debootstrap docker tar strip; do
    command -v "$tool" >/dev/null || { echo "$tool is not here: sudo apt-get install debootstrap docker.io binutils" >&2; exit 1; }
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

# The context holds nothing but what the Dockerfile asks for: the repository has gigabytes of builds beside it.
mkdir -p "$root/binaries/out" "$root/context/services"
for name in $services sandbox xtask; do
    strip --strip-debug -o "$root/binaries/out/$name" "$programs/$name"
done
tar -C "$root/binaries" -c . | docker import - redoubt/binaries:offline >/dev/null
cp services/*.toml "$root/context/services/"
for name in $services; do
    mkdir -p "$root/context/services/$name"
    cp "services/$name/dev.toml" "$root/context/services/$name/"
done
cp -r services/broker/manifests "$root/context/services/broker/"
cp -r services/behavior/model services/behavior/rules "$root/context/services/behavior/"
cp infra/docker/Dockerfile "$root/context/"

# The stages for images that cannot be pulled are left out, for a builder without BuildKit builds every stage that stands before its target.
# shellcheck disable=SC2016  # they are words of the Dockerfile
sed '/^FROM ${RUST} AS build$/,/^# `COPY --from` takes/d' infra/docker/Dockerfile > "$root/context/Dockerfile"
build() {
    DOCKER_BUILDKIT=0 docker build --quiet --build-arg DEBIAN=redoubt/debian:offline --build-arg BINARIES=redoubt/binaries:offline \
        --label dev.redoubt=offline "$@" "$root/context" >/dev/null 2>"$root/words" || { cat "$root/words" >&2; exit 1; }
}
build --target tools --tag redoubt/tools:offline
for name in $services; do
    build --target runtime --build-arg "SERVICE=$name" --tag "redoubt/$name:offline"
done
echo "built redoubt/{tools,${services// /,}}:offline"
