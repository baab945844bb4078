#!/bin/sh
# How the main job ends on the board model when it is told to, when a part of it is killed, and when the board or the
# lab fails, and that no guest is cut off: a sample; 'make endings' plays all.
set -u
# shellcheck source=lib.sh
. "$(dirname -- "$0")/lib.sh"
need lab true
"${PUMICE_BIN:-$top/target/release}/pumice-endings"
