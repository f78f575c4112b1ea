#!/usr/bin/env bash
# Builds the wheel, in which no path of this machine stands. Arguments go to `maturin build`: `--out DIR`, `--profile quick`.
# `MATURIN` names the command, if it is another than maturin.
set -euo pipefail
cd "$(dirname "$0")"

remaps="--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo --remap-path-prefix=$(dirname "$PWD")=/trip99"
export RUSTFLAGS="${RUSTFLAGS:-} $remaps"
case " $* " in
*" --profile "*) ;;
*) set -- --release "$@" ;;
esac
exec "${MATURIN:-maturin}" build --locked "$@"
