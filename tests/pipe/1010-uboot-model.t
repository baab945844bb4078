#!/bin/sh
# A job for one board on the model of tests/board with U-Boot: what it is told, what it fetches, what it refuses.
set -u
# shellcheck source=lib.sh
. "$(dirname -- "$0")/lib.sh"
job=$top/tests/data/jobs/beaglebone-black.yaml
need lab true

# boot NAME JOB [VARIABLE...]: runs the job; its status is in $status, its output in the scratch directory.
boot () {
	run=$scratch/$1 job=$2 status=0
	shift 2
	env PUMICE_JOB="$job" "$@" timeout 120 "$top/tests/board/run-job" uboot --output "$run" \
		>"$run.out" 2>"$run.err" </dev/null || status=$?
}

# The cases of the definition with their results.
cases () {
	sed -nE 's/.*"definition":"0_booted","case":"([^"]*)".*"result":"([^"]*)".*/\1 \2/p' "$1" | sort
}

typed () {
	grep -qF -- "$1" "$run/1/console.log"
}

no_placeholder_is_typed () {
	! grep -E 'TEE|\{[A-Z]' "$run/1/console.log"
}

nothing_staged_is_left () {
	! test -e "$run/1/tftp" && ! test -e "$run/1/nfsrootfs"
}

started_as_uimage () {
	typed 'tftp 0x82000000 1/kernel/uImage' && typed 'bootm 0x82000000 0x83000000 0x88000000'
}

plan 10
boot plain "$job"
check 'the job ends with 0' test "$status" -eq 0
check 'nothing is said on standard error' test ! -s "$run.err"
cases "$run/results.jsonl" >"$scratch/cases"
printf 'overlay pass\nroot pass\n' >"$scratch/expected"
check 'its cases passed, and there were no others' diff -u "$scratch/expected" "$scratch/cases"
check 'a zImage is started by bootz' typed 'bootz 0x82000000 0x83000000 0x88000000'
check 'the line for a file that is not there is left out' no_placeholder_is_typed
check 'what was staged is gone' nothing_staged_is_left
test "$status" -eq 0 || show "$run.out" "$run.err" "$run/1/log" "$run/1/console.log"

sed 's/type: zimage/type: image/' "$job" >"$scratch/image.yaml"
boot image "$scratch/image.yaml"
check 'a kernel of another kind gets the header that bootm looks at' test "$status" -eq 0
check 'it is fetched and started under its new name' started_as_uimage
test "$status" -eq 0 || show "$run.out" "$run.err" "$run/1/log" "$run/1/console.log"

boot fault "$job" PUMICE_FAULT=tftp-error
check 'a server that does not answer is a failure of the lab' test "$status" -eq 3
check "U-Boot's words for it are the reason" grep -q "the bootloader failed: 'Retry count exceeded" "$run.err"
