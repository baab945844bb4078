#!/bin/sh
# Blocks of all kinds on the model of tests/board with U-Boot: tests at its prompt and in its system, several boots,
# tests that are tried again, given up and repeated.
set -u
# shellcheck source=lib.sh
. "$(dirname -- "$0")/lib.sh"
need lab true

# boot NAME [VARIABLE...]: runs the job of this name; its status is in $status, its output in the scratch directory.
boot () {
	run=$scratch/$1 job=$top/tests/data/jobs/$1.yaml status=0
	shift
	env PUMICE_JOB="$job" "$@" timeout 120 "$top/tests/board/run-job" uboot --output "$run" \
		>"$run.out" 2>"$run.err" </dev/null || status=$?
}

# The results of the tests, in order.
results () {
	sed -nE 's/.*"definition":"([^"]*)","case":"([^"]*)".*"result":"([^"]*)".*/\1\/\2 \3/p' "$run/results.jsonl" |
		grep -vE '^lava/.*(reset|bootloader|login|kernel|shell-connection)'
}

are () {
	results | diff -u "$1" -
}

plan 6
boot uboot-interactive
check 'a script is played at the prompt of a board that was given no files' test "$status" -eq 0
printf '%s pass\n' network/dhcp network/server lava/lava-test-interactive lava/job >"$scratch/expected"
check 'its steps are results, those without a name are none' are "$scratch/expected"
test "$status" -eq 0 || show "$run.out" "$run.err" "$run/1/log" "$run/1/console.log"

boot uboot-blocks
check 'a test whose time was up has failed, and nothing else' test "$status" -eq 1
cat >"$scratch/expected" <<'END'
environment/kept pass
environment/reset pass
environment/forgotten pass
lava/lava-test-interactive pass
lava/0_raises fail
0_raises/second pass
lava/0_raises pass
1_hangs/before pass
lava/1_hangs fail
lava/lava-test-shell fail
2_after/shell pass
lava/2_after pass
3_again/booted pass
lava/3_again pass
3_again/booted pass
lava/3_again pass
lava/job pass
END
check 'all blocks were done, in their order' are "$scratch/expected"
printf 'failed: 1 host lava/%s\n' 1_hangs lava-test-shell >"$scratch/failed"
grep '^failed: ' "$run.out" >"$scratch/told"
check 'the attempt that another one has followed does not count' diff -u "$scratch/failed" "$scratch/told"
boots () {
	test "$(grep -c 'Hit any key to stop autoboot:  3' "$run/1/console.log")" -eq 4
}
check 'the board was reset for each boot' boots
test "$status" -eq 1 || show "$run.out" "$run.err" "$run/1/log" "$run/1/console.log"
