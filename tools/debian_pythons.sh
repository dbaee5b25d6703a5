#!/usr/bin/env bash
# Makes Pythons that this system does not have, below .pythons (or below $FUSEBOARD_PYTHONS).
#
#   tools/debian_pythons.sh                  python3.14, its debug build python3.14d, and python3.15
#   tools/debian_pythons.sh free-threaded    these, and python3.14t or python3.13t, which Debian has only as sources
#
# They stand in a root of Debian's unstable suite, .pythons/sid. What is there is left as it is; remove the folder to
# make it anew. Needs root, apt and the network. The root takes some minutes, and compiling takes five more.
# `make pythons` and `make free-threaded` find what stands there.
set -euo pipefail
cd "$(dirname "$0")/.."
roots=${FUSEBOARD_PYTHONS:-$PWD/.pythons}
root=$roots/sid

# What the tests need beside a Python: a linker for Rust, the tools that they look through, and users' rights.
needed=(ca-certificates gcc libc6-dev git mount patch procps strace util-linux valgrind)

tools_of_this_system() {
    [ "$(id -u)" = 0 ] || { echo "only root can make a Debian root" >&2; exit 1; }
    missing=()
    for tool in debootstrap:debootstrap bwrap:bubblewrap; do
        command -v "${tool%:*}" >/dev/null || missing+=("${tool#*:}")
    done
    # debootstrap believes no archive without these keys, which systems other than Debian may lack.
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing+=(debian-archive-keyring)
    if [ "${#missing[@]}" != 0 ]; then
        command -v apt-get >/dev/null || { echo "missing: ${missing[*]}" >&2; exit 1; }
        apt-get update -qq && apt-get install -y -qq "${missing[@]}" >/dev/null
    fi
}

# within SYSTEM COMMAND...: run a command in the root of a Debian system.
within() {
    local system=$1; shift
    bwrap --bind "$system" / --dev-bind /dev /dev --proc /proc --perms 1777 --tmpfs /tmp --cap-add ALL \
        --setenv HOME /root --setenv PATH /usr/sbin:/usr/bin:/sbin:/bin --setenv DEBIAN_FRONTEND noninteractive \
        --chdir / "$@"
}

# The root gets its name when it is whole, so that nobody takes half of one.
unstable() {
    if [ -e "$root" ]; then
        echo "$root is there"
        return
    fi
    local half=$roots/.sid
    mkdir -p "$roots"
    rm -rf --one-file-system "$half"
    echo "making $root; $roots/sid.log says more"
    debootstrap --force-check-gpg --variant=minbase --include=ca-certificates sid "$half" >"$roots/sid.log"
    # A suite's release file may be older than it allows itself to be; its signature is looked at all the same.
    printf '%s\n' 'Acquire::Check-Valid-Until "false";' 'APT::Update::Error-Mode "any";' \
        >"$half/etc/apt/apt.conf.d/90fuseboard"
    {
        within "$half" apt-get update -qq
        within "$half" apt-get install -y -qq --no-install-recommends "${needed[@]}" \
            python3.14 python3.14-venv python3.14-dbg python3.15 python3.15-venv
    } >>"$roots/sid.log"
    mv "$half" "$root"
    echo "made $root"
}

# The archive may list sources that it no longer has, so the newest that can be had are taken.
free_threaded() {
    if compgen -G "$root/usr/local/bin/python3.*t" >/dev/null; then
        echo "a free-threaded Python is there"
        return
    fi
    echo "compiling a free-threaded Python in $root; $roots/free-threaded.log says more"
    sed 's/^deb /deb-src /' "$root/etc/apt/sources.list" >"$root/etc/apt/sources.list.d/sources.list"
    within "$root" bash -euc '
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends build-essential dpkg-dev \
            libbz2-dev libffi-dev liblzma-dev libsqlite3-dev libssl-dev zlib1g-dev
        mkdir -p /usr/src/python && cd /usr/src/python
        for package in python3.14 python3.13; do
            for version in $(apt-cache showsrc "$package" | sed -n "s/^Version: //p" | sort --version-sort --reverse); do
                rm -rf ./*
                apt-get source -qq --download-only -o APT::Sandbox::User=root "$package=$version" && break 2
            done
        done
        tar --extract --strip-components=1 --file python3.*.orig.tar.xz
        ./configure --quiet --disable-gil
        make --silent --jobs="$(nproc)"
        make --silent altinstall
        cd / && rm -r /usr/src/python' >"$roots/free-threaded.log" 2>&1 ||
        { tail "$roots/free-threaded.log" >&2; exit 1; }
    echo "made $(compgen -G "$root/usr/local/bin/python3.*t")"
}

case "${1:-unstable}" in
    unstable | free-threaded)
        tools_of_this_system
        unstable
        [ "${1:-unstable}" = unstable ] || free_threaded
        ;;
    -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" ;;
    *)
        echo "there is no '$1'; see tools/debian_pythons.sh --help" >&2
        exit 2
        ;;
esac
