#!/bin/sh
# Builds the C libraries and the tool with cargo, and installs them: the libraries with their headers, CMake package and pkg-config
# files; the tool with its completions, its man pages, and what systemd and Prometheus need.
# Needs Linux, cargo, a C compiler as Rust's linker, and GNU binutils (ar, ld, nm, objcopy).
set -eu

usage() {
    cat <<'TEXT'
usage: cmake/install.sh --prefix DIR [--libdir DIR] [--target-dir DIR] [--checked] [--tool FILE | --no-tool]
                        [--no-libraries]

Builds trip99's C libraries and its tool, and installs into a prefix: headers, static and shared library, CMake package
(find_package(trip99)), pkg-config files, licences; the command trip99 with completions and man pages, units for
systemd, alert rules and board.

    --prefix DIR      where to; the tree may be moved later, but for the units, which name it
    --libdir DIR      where libraries go, within the prefix (default: lib)
    --target-dir DIR  where cargo builds (default: cargo's own)
    --checked         for development: the libraries abort with a message when a wrong thread calls
    --tool FILE       this is the command trip99: none is built
    --no-tool         only what C and C++ programs need
    --no-libraries    only the tool, and what comes with it
    --help            this text

Environment: DESTDIR is put before the prefix, for packagers. CARGO is the cargo to run.
TEXT
}

bad_usage() {
    printf 'install.sh: %s\n\n' "$1" >&2
    usage >&2
    exit 2
}

fail() {
    printf 'install.sh: %s\n' "$1" >&2
    exit 1
}

absolute() {
    case $1 in
    /*) printf '%s\n' "$1" ;;
    *) printf '%s/%s\n' "$PWD" "$1" ;;
    esac
}

prefix='' libdir=lib target_dir='' features=ffi,shm checked='' libraries=yes tool=yes built_tool=''
while [ $# -gt 0 ]; do
    case $1 in
    --?*=*) # as two words
        option=${1%%=*} value=${1#*=}
        shift
        set -- "$option" "$value" "$@"
        ;;
    --help) usage; exit 0 ;;
    --checked)
        features=ffi,shm,checked checked=' (checked)'
        shift
        ;;
    --no-tool) tool='' && shift ;;
    --no-libraries) libraries='' && shift ;;
    --tool)
        [ $# -ge 2 ] && [ -f "$2" ] || bad_usage "--tool needs a file"
        built_tool=$(absolute "$2")
        shift 2
        ;;
    --prefix | --libdir | --target-dir)
        [ $# -ge 2 ] && [ -n "$2" ] || bad_usage "$1 needs a directory"
        case $1 in
        --prefix) prefix=$(absolute "$2") ;;
        --libdir) libdir=${2%/} ;;
        --target-dir) target_dir=$(absolute "$2") ;;
        esac
        shift 2
        ;;
    *) bad_usage "unknown argument: $1" ;;
    esac
done
[ -n "$prefix" ] || bad_usage "--prefix is missing"
[ -n "$tool$libraries" ] || bad_usage "--no-tool and --no-libraries leave nothing"
case /$libdir/ in
//* | */../* | */./* | *//* | *[!A-Za-z0-9/._+-]*)
    bad_usage "--libdir must be a plain path within the prefix, as in lib or lib/x86_64-linux-gnu"
    ;;
esac
dest=$prefix
if [ -n "${DESTDIR:-}" ]; then dest=$(absolute "$DESTDIR")$prefix; fi

# From here in the project's directory: its toolchain file and cargo configuration apply wherever this is called from.
CDPATH='' cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
command -v "$cargo" >/dev/null || fail "no cargo: install Rust, or set CARGO"
if [ -n "$libraries" ]; then
    for program in ar ld nm objcopy; do
        command -v "$program" >/dev/null || fail "no $program: install GNU binutils"
    done
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# The facts, each from its one source.
package=$("$cargo" pkgid --locked --package trip99)
version=${package##*[#@]}
abi=$(sed -n 's/^#define CB_ABI_VERSION \([0-9]*\)$/\1/p' include/trip99.h)
[ -n "$abi" ] || fail "include/trip99.h doesn't define CB_ABI_VERSION"
if [ -z "$target_dir" ]; then
    target_dir=$("$cargo" metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
fi
# Named, the host gets a directory of its own, whatever target is configured, and RUSTFLAGS spare build scripts.
host=$("$cargo" -vV | sed -n 's/^host: //p')
[ -n "$target_dir" ] && [ -n "$host" ] || fail "$cargo doesn't answer as cargo does"
built=$target_dir/$host/release

# The builder's folders stay out of what is built. A folder's name may have spaces, so these flags are a list. (RUSTFLAGS, where it is
# set, hides cargo's other flags; with CARGO_ENCODED_RUSTFLAGS, which hides RUSTFLAGS, it is a list, too.)
of_cargo=--remap-path-prefix=${CARGO_HOME:-${HOME:-}/.cargo}=/cargo
of_sources=--remap-path-prefix=$PWD=/trip99
separator=$(printf '\037')
if [ -n "${CARGO_ENCODED_RUSTFLAGS:-}" ]; then
    export CARGO_ENCODED_RUSTFLAGS="$CARGO_ENCODED_RUSTFLAGS$separator$of_cargo$separator$of_sources"
elif [ -n "${RUSTFLAGS:-}" ]; then
    words=$(printf '%s' "$RUSTFLAGS" | tr -s ' ' "$separator")
    export CARGO_ENCODED_RUSTFLAGS="${words#"$separator"}$separator$of_cargo$separator$of_sources"
fi
run_cargo() {
    if [ -n "${CARGO_ENCODED_RUSTFLAGS:-}" ]; then
        "$cargo" "$@"
    else
        "$cargo" --config "build.rustflags = ['''$of_cargo''', '''$of_sources''']" "$@"
    fi
}

# put FILE DIRECTORY [NAME [MODE]]. By renaming: writing into a shared library would crash the programs that have it mapped.
put() {
    to=$2/${3:-${1##*/}}
    install -d -m 755 "$dest/$2"
    cp "$1" "$dest/$to.$$"
    chmod "${4:-644}" "$dest/$to.$$"
    mv -f "$dest/$to.$$" "$dest/$to"
    printf '    %s\n' "$to"
}

# The tool, and what it tells of itself. In the repository the units name the places of a distribution.
install_tool() {
    if [ -z "$built_tool" ]; then
        printf 'building the tool in %s\n' "$target_dir"
        run_cargo build --release --package trip99-cli --locked --color never --target "$host" --target-dir "$target_dir" \
            2>"$work/log" || {
            cat "$work/log" >&2
            fail "cargo could not build the tool"
        }
        built_tool=$built/trip99
    fi
    mkdir "$work/man"
    "$built_tool" man --to "$work/man" && "$built_tool" completions bash >"$work/trip99" &&
        "$built_tool" completions zsh >"$work/_trip99" && "$built_tool" completions fish >"$work/trip99.fish" ||
        fail "$built_tool doesn't answer as trip99 does"
    put "$built_tool" bin trip99 755
    put "$work/trip99" share/bash-completion/completions
    put "$work/_trip99" share/zsh/site-functions
    put "$work/trip99.fish" share/fish/vendor_completions.d
    for page in "$work"/man/*.1; do put "$page" share/man/man1; done
    for unit in deploy/systemd/*.service; do
        sed "s|/usr/bin/|$prefix/bin/|" "$unit" >"$work/unit"
        put "$work/unit" lib/systemd/system "${unit##*/}"
    done
    put deploy/sysusers.d/trip99.conf lib/sysusers.d
    put deploy/tmpfiles.d/trip99.conf lib/tmpfiles.d
    put deploy/systemd/trip99-engine.conf share/trip99
    for file in deploy/*.yml deploy/grafana.json; do put "$file" share/trip99; done
    put LICENSE-APACHE share/doc/trip99
    put LICENSE-MIT share/doc/trip99
}

if [ -n "$tool" ]; then
    install_tool
    [ -n "$libraries" ] || exit 0
    printf '\n'
fi

# build CRATE_TYPE RUSTC_ARGUMENT...; what cargo said is in $work/log
build() {
    type=$1
    shift
    run_cargo rustc --release --lib --features "$features" --locked --color never --target "$host" \
        --target-dir "$target_dir" --crate-type "$type" -- "$@" 2>"$work/log" || {
        cat "$work/log" >&2
        fail "cargo could not build the $type"
    }
}

printf 'building the shared library in %s\n' "$target_dir"
build cdylib -C strip=symbols -C "link-arg=-Wl,-soname,libtrip99.so.$abi"
printf 'building the static library\n'
build staticlib --print native-static-libs

# What a static user's program needs besides: rustc's own list, without libgcc_s and libc. Every C and C++ compiler adds
# those two itself, and in the form that the link wants; an explicit -lgcc_s makes -static links fail.
native=$(sed -n 's/^note: native-static-libs: //p' "$work/log")
[ -n "$native" ] || fail "rustc didn't say which libraries a static user needs"
private_libs=''
for lib in $native; do
    case $lib in
    -lgcc_s | -lc) ;;
    *) private_libs="$private_libs${private_libs:+ }$lib" ;;
    esac
done
private_list=$(printf '%s' "$private_libs" | tr ' ' ';') # as CMake writes lists

sh cmake/localise.sh "$built/libtrip99.a" "$work/libtrip99.a" || fail "could not localise symbols"

# From a directory of the library directory back to the prefix: the installed files name no absolute path.
up=$(printf '%s' "$libdir" | sed 's|[^/][^/]*|..|g')

fill() {
    sed -e "s|@VERSION@|$version|g" -e "s|@ABI@|$abi|g" -e "s|@LIBDIR@|$libdir|g" -e "s|@UP@|$up|g" \
        -e "s|@PRIVATE_LIBS@|$private_libs|g" -e "s|@PRIVATE_LIBS_LIST@|$private_list|g" "cmake/$1.in" >"$work/$1"
}
for file in trip99Config.cmake trip99ConfigVersion.cmake trip99.pc trip99-static.pc; do fill "$file"; done

# point NAME TARGET: a symbolic link beside its target, by renaming, too
point() {
    ln -s "$2" "$dest/$libdir/$1.$$"
    mv -fT "$dest/$libdir/$1.$$" "$dest/$libdir/$1"
    printf '    %s -> %s\n' "$libdir/$1" "$2"
}

printf '\ntrip99 %s (ABI %s)%s in %s\n\n' "$version" "$abi" "$checked" "$dest"
for header in include/*.h include/*.hpp; do put "$header" include; done
for header in include/trip99/*; do put "$header" include/trip99; done
put "$work/libtrip99.a" "$libdir"
put "$built/libtrip99.so" "$libdir" "libtrip99.so.$version"
point "libtrip99.so.$abi" "libtrip99.so.$version"
point libtrip99.so "libtrip99.so.$abi"
put "$work/trip99Config.cmake" "$libdir/cmake/trip99"
put "$work/trip99ConfigVersion.cmake" "$libdir/cmake/trip99"
put "$work/trip99.pc" "$libdir/pkgconfig"
put "$work/trip99-static.pc" "$libdir/pkgconfig"
put LICENSE-APACHE share/doc/trip99
put LICENSE-MIT share/doc/trip99

cat <<TEXT

CMake       -DCMAKE_PREFIX_PATH=$prefix; find_package(trip99); targets trip99::trip99, trip99::shared, trip99::static
pkg-config  PKG_CONFIG_PATH=$prefix/$libdir/pkgconfig; modules trip99, trip99-static
TEXT
