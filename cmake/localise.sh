#!/bin/sh
# usage: localise.sh IN.a OUT.a
#
# Makes of a Rust static archive one that defines nothing but cb_ symbols. As rustc leaves it, it also defines Rust's
# standard library: beside another Rust archive in one program that is two of each, an error or a wild mixture.
set -eu
in=$1 out=$2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# Without the compiler's bitcode: binutils with an LLVM plugin would read that instead of the machine code.
objcopy --strip-debug --remove-section .llvmbc --remove-section .llvmcmd "$in" "$work/in.a"

nm --quiet --extern-only --defined-only "$work/in.a" | sed -n 's/^[0-9a-f]* T \(cb_.*\)$/-u \1/p' >"$work/roots"
[ -s "$work/roots" ] || {
    printf 'localise.sh: %s defines no cb_ function\n' "$in" >&2
    exit 1
}

# One object of all that the cb_ functions need. Section groups are dissolved: of groups with one name a linker keeps
# the first in the program, and each Rust archive has one for DW.ref.rust_eh_personality, by which panics are caught.
# Ours, made local, must stay.
ld -r --force-group-allocation -o "$work/all.o" "@$work/roots" "$work/in.a"
objcopy --wildcard --keep-global-symbol='cb_*' "$work/all.o" "$work/trip99.o"

rm -f "$out"
ar rcs "$out" "$work/trip99.o"
