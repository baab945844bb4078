#!/bin/sh
# The main job, one host and three guests, on the board 'model' of tests/board.
set -u
# shellcheck source=lib.sh
. "$(dirname -- "$0")/lib.sh"
# shellcheck source=mustang.sh
. "$top/tests/pipe/mustang.sh"
need lab true
judge model
