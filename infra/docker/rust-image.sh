#!/usr/bin/env bash
# Builds an image with this machine's Rust for the Dockerfile's stage `build`, for machines that can reach a Debian mirror and crates.io but no image registry:
#
#   sudo env PATH="$PATH" HOME="$HOME" infra/docker/rust-image.sh [TAG]          (default redoubt/rust:offline; rustup's Rust is its user's alone)
#   RUST_IMAGE=redoubt/rust:offline DEBIAN_IMAGE=redoubt/debian:offline docker compose --file infra/compose/compose.yaml build
#
# It keeps the part of the official image's contract that the Dockerfile relies on: cargo on the PATH, CARGO_HOME in /usr/local/cargo, a C compiler, authorities to
# believe in. Needs root, debootstrap, a Docker daemon, and this machine to be that Debian, for the compiler is linked with its C library.
set -euo pipefail

tag=${1:-redoubt/rust:offline}
suite=${DEBIAN_SUITE:-bookworm}
# Empty: debootstrap's own default.
mirror=${DEBIAN_MIRROR:-}

for tool in debootstrap docker tar rustc; do
    command -v "$tool" >/dev/null || { echo "$tool is not here: sudo apt-get install debootstrap docker.io; Rust by https://rustup.rs" >&2; exit 1; }
done
docker version >/dev/null || { echo "Docker does not answer: start its daemon (sudo dockerd)" >&2; exit 1; }

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

debootstrap --variant=minbase --include=ca-certificates,gcc,libc6-dev "$suite" "$root" ${mirror:+"$mirror"}
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/doc "$root"/usr/share/man "$root"/usr/share/locale
# Whom this machine believes, which may be more than Debian does.
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
mkdir -p "$root/usr/local/cargo"
# The compiler, without its documentation and without the standard libraries of other systems.
(cd "$(rustc --print sysroot)" && tar -c bin/cargo bin/rustc lib/lib* "lib/rustlib/$(rustc --print host-tuple)") | tar -C "$root/usr/local" -x

tar -C "$root" -c . | docker import --change 'ENV CARGO_HOME=/usr/local/cargo' --change 'ENV PATH=/usr/local/cargo/bin:/usr/local/bin:/usr/bin:/bin' - "$tag"
echo "built $tag"
