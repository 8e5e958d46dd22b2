#!/usr/bin/env bash
# Builds every image of infra/compose/offline.yaml where no image can be pulled: the bases out of Debian's packages (offline-bases.sh), the programs out of a
# directory where cargo has built them.
#
#   sudo infra/docker/offline-images.sh [DIRECTORY]          (default target/debug)
#
# Bases are built once and kept; the programs' images each time. Needs root, debootstrap, a Docker daemon, and this machine to be that Debian, for the programs are
# linked with its C library.
set -euo pipefail
cd "$(dirname "$0")/../.."

programs=${1:-target/debug}
services=$(sed -n 's|^\[services\.\([a-z0-9]*\)\]$|\1|p' infra/system.toml | paste -sd " " -)

command -v strip >/dev/null || { echo "strip is not here: sudo apt-get install binutils" >&2; exit 1; }
infra/docker/offline-bases.sh

root=$(mktemp -d)
# Of this run: another one may have other programs.
binaries=redoubt/binaries:$$
trap 'rm -rf "$root"; docker image rm "$binaries" >/dev/null 2>&1 || true' EXIT

# The context holds nothing but what the Dockerfile asks for: the repository has gigabytes of builds beside it.
mkdir -p "$root/binaries/out" "$root/context/services"
for name in $services sandbox xtask; do
    # All of its symbols: a third of a program that was built to be looked into. What panics there names no function.
    strip --strip-all -o "$root/binaries/out/$name" "$programs/$name"
done
tar -C "$root/binaries" -c . | docker import --change 'LABEL dev.redoubt=offline' - "$binaries" >/dev/null
cp services/*.toml services/dev.places.csv "$root/context/services/"
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
    DOCKER_BUILDKIT=0 docker build --quiet --build-arg DEBIAN=redoubt/debian:offline --build-arg "BINARIES=$binaries" \
        --label dev.redoubt=offline "$@" "$root/context" >/dev/null 2>"$root/words" || { cat "$root/words" >&2; exit 1; }
}
build --target tools --tag redoubt/tools:offline
for name in $services; do
    build --target runtime --build-arg "SERVICE=$name" --tag "redoubt/$name:offline"
done
echo "built redoubt/{tools,${services// /,}}:offline"
# What they stood in the place of has no name any more.
docker image prune --force --filter label=dev.redoubt=offline >/dev/null
