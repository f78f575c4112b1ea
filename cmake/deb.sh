#!/bin/sh
# Makes a Debian package of what cmake/install.sh installs: tool, completions, man pages, units, libraries and headers.
# Needs what install.sh needs, and dpkg-deb and dpkg-shlibdeps (Debian: dpkg-dev).
set -eu
umask 022 # dpkg-deb takes no folders that are closed to others

usage() {
    cat <<'TEXT'
usage: cmake/deb.sh [--to DIR] [ARGUMENT OF install.sh]...

Makes trip99_VERSION_ARCHITECTURE.deb in the folder (default: this one), and prints its path. What else is given goes to
install.sh: --target-dir DIR, --tool FILE, --checked.
TEXT
}

fail() {
    printf 'deb.sh: %s\n' "$1" >&2
    exit 1
}

to=$PWD
case ${1:-} in
--help) usage && exit 0 ;;
--to)
    [ -d "${2:-}" ] || { printf 'deb.sh: --to needs a folder\n\n' >&2 && usage >&2 && exit 2; }
    to=$(CDPATH='' cd "$2" && pwd)
    shift 2
    ;;
esac
for program in dpkg dpkg-deb dpkg-shlibdeps; do
    command -v "$program" >/dev/null || fail "no $program: install dpkg-dev"
done

here=$(CDPATH='' cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
stage=$work/stage
architecture=$(dpkg --print-architecture)
multiarch=$(dpkg-architecture -qDEB_HOST_MULTIARCH)

DESTDIR=$stage "$here/cmake/install.sh" --prefix /usr --libdir "lib/$multiarch" "$@" >&2
version=$("$stage/usr/bin/trip99" --version | sed 's/^trip99 //')
[ -n "$version" ] || fail "the tool doesn't say its version"

# What the programs need of the system, as Debian counts it.
mkdir "$work/debian"
printf 'Source: trip99\n\nPackage: trip99\nArchitecture: any\n' >"$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O stage/usr/bin/trip99 "stage/usr/lib/$multiarch/libtrip99.so.$version" 2>"$work/log") || {
    cat "$work/log" >&2
    fail "dpkg-shlibdeps could not tell what is needed"
}

# What Debian wants in other places, or in another form.
(cd "$stage/usr/share" && mkdir zsh/vendor-completions && mv zsh/site-functions/_trip99 zsh/vendor-completions/ && rmdir zsh/site-functions)
gzip -9n "$stage"/usr/share/man/man1/*.1
gzip -9nc "$here/CHANGELOG.md" >"$stage/usr/share/doc/trip99/changelog.gz"
{
    cat <<'TEXT'
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: trip99
Source: https://github.com/trip99/trip99

Files: *
Copyright: 2026 The trip99 authors
License: MIT or Apache-2.0

Files: logs/report/uplot/*
Copyright: 2022 Leon Sorokin
License: MIT
Comment: uPlot draws the charts in the reports that the tool writes.

License: Apache-2.0
 See /usr/share/common-licenses/Apache-2.0.

License: MIT
TEXT
    sed -e '1,/^Copyright/d' "$here/LICENSE-MIT" | sed -e '1{/^$/d}' -e 's/^$/./' -e 's/^/ /'
} >"$stage/usr/share/doc/trip99/copyright"
rm "$stage/usr/share/doc/trip99/LICENSE-APACHE" "$stage/usr/share/doc/trip99/LICENSE-MIT"
# The fleet's program is no part of this package.
rm "$stage/usr/lib/systemd/system/trip99-fleet-agent.service"

mkdir "$stage/DEBIAN"
cat >"$stage/DEBIAN/control" <<TEXT
Package: trip99
Version: $version
Architecture: $architecture
Maintainer: The trip99 developers <trip99@users.noreply.github.com>
Section: net
Priority: optional
Homepage: https://github.com/trip99/trip99
Installed-Size: $(du -sk "$stage/usr" | cut -f1)
Depends: ${depends#shlibs:Depends=}
Suggests: prometheus
Description: latency circuit breaker for trading engines
 Pauses trading when the P99 of round trips exceeds a threshold, and recovers by
 exponential backoff. The command trip99 watches, halts and resumes breakers of
 running engines, records what happened, and replays logs. The library is for
 engines in C and C++; static and shared, with headers, CMake package and
 pkg-config files.
TEXT
# The group and the folders that the units and shared pages want. No unit is started: which ones run is the host's business.
cat >"$stage/DEBIAN/postinst" <<'TEXT'
#!/bin/sh
set -e
if [ "$1" = configure ]; then
    if command -v systemd-sysusers >/dev/null; then systemd-sysusers trip99.conf; fi
    if command -v systemd-tmpfiles >/dev/null; then systemd-tmpfiles --create trip99.conf || true; fi
    if [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
fi
TEXT
# Once the program is gone its units must not run on, nor be started again by systemd. An upgrade leaves them alone.
cat >"$stage/DEBIAN/prerm" <<'TEXT'
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
    systemctl --no-reload disable --now trip99-exporter.service trip99-record.service || true
fi
TEXT
# What holds halts, /var/lib/trip99, stays, even at a purge: a halt ends by a resume, and by nothing else. So does the user, who owns it.
cat >"$stage/DEBIAN/postrm" <<'TEXT'
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
TEXT
chmod 755 "$stage/DEBIAN/postinst" "$stage/DEBIAN/prerm" "$stage/DEBIAN/postrm"
printf 'activate-noawait ldconfig\n' >"$stage/DEBIAN/triggers"
(cd "$stage" && find usr -type f -exec md5sum {} +) >"$stage/DEBIAN/md5sums"

package=$to/trip99_${version}_$architecture.deb
dpkg-deb --root-owner-group --build "$stage" "$package" >&2
printf '%s\n' "$package"
