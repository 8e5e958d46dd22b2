#!/usr/bin/env bash
# Builds a PostgreSQL image from Debian's packages, for machines that can reach a Debian mirror but no image registry.
#
#   sudo infra/docker/postgres-image.sh [TAG]          (default redoubt/postgres:test)
#   REDOUBT_POSTGRES_IMAGE=redoubt/postgres:test cargo xtask demo --postgres docker
#
# It keeps the part of the official image's contract that the ladder relies on: POSTGRES_PASSWORD (or POSTGRES_PASSWORD_FILE) and
# POSTGRES_INITDB_ARGS in the environment, PGDATA, the server's options as arguments, port 5432. Needs root, debootstrap and a Docker daemon.
set -euo pipefail

tag=${1:-redoubt/postgres:test}
suite=${DEBIAN_SUITE:-bookworm}
# Empty: debootstrap's own default.
mirror=${DEBIAN_MIRROR:-}

for tool in debootstrap docker tar; do
    command -v "$tool" >/dev/null || { echo "$tool is not here: sudo apt-get install debootstrap docker.io" >&2; exit 1; }
done
docker version >/dev/null || { echo "Docker does not answer: start its daemon (sudo dockerd)" >&2; exit 1; }

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

debootstrap --variant=minbase --include=postgresql "$suite" "$root" ${mirror:+"$mirror"}
# The package made a cluster of its own; the image starts without one. What is only needed to install goes too.
rm -rf "$root"/var/lib/postgresql/* "$root"/etc/postgresql/* "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* \
    "$root"/usr/share/doc "$root"/usr/share/man "$root"/usr/share/locale

# Whom the containers of infra/compose run as: PostgreSQL asks the system for its own name.
echo 'redoubt:x:10001:10001::/nonexistent:/usr/sbin/nologin' >> "$root/etc/passwd"

cat > "$root/usr/local/bin/docker-entrypoint.sh" <<'ENTRYPOINT'
#!/bin/sh
set -eu
data=${PGDATA:-/var/lib/postgresql/data}
bin=$(ls -d /usr/lib/postgresql/*/bin)
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$data" /run/postgresql
    chown -R postgres:postgres /var/lib/postgresql /run/postgresql
    exec setpriv --reuid=postgres --regid=postgres --clear-groups "$0" "$@"
fi
if [ ! -s "$data/PG_VERSION" ]; then
    if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE"); fi
    (umask 077; printf %s "${POSTGRES_PASSWORD:?is not set}" > /tmp/password)
    # Several arguments in one variable, as in the official image.
    # shellcheck disable=SC2086
    "$bin/initdb" -D "$data" -U postgres --pwfile=/tmp/password ${POSTGRES_INITDB_ARGS:-}
    rm /tmp/password
    echo "host all all all scram-sha-256" >> "$data/pg_hba.conf"
fi
unset POSTGRES_PASSWORD
exec "$bin/postgres" -D "$data" -c 'listen_addresses=*' "$@"
ENTRYPOINT
chmod 755 "$root/usr/local/bin/docker-entrypoint.sh"

tar -C "$root" -c . | docker import \
    --change 'ENTRYPOINT ["/usr/local/bin/docker-entrypoint.sh"]' \
    --change 'EXPOSE 5432' \
    - "$tag"
echo "built $tag"
