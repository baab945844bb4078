#!/bin/sh
# A role that the others need, on the model of tests/board: its failure ends them, and without 'essential' it does not.
set -u
# shellcheck source=lib.sh
. "$(dirname -- "$0")/lib.sh"
need lab true

passes () {
	grep -q "\"case\":\"job\",\"result\":\"pass\",.*\"job_id\":\"$1\"" "$run/results.jsonl"
}

# start NAME SED: the job, changed, in the background.
start () {
	run=$scratch/$1
	sed "$2" "$top/tests/data/jobs/essential.yaml" >"$scratch/$1.yaml"
	PUMICE_JOB=$scratch/$1.yaml timeout 120 "$top/tests/board/run-job" model --output "$run" \
		>"$run.out" 2>"$run.err" </dev/null &
}

# ended: waits for it; its status is in $status.
ended () {
	status=0
	wait "$!" || status=$?
}

# told WORD TEXT: what mn-run says of the ends, without their moments.
told () {
	grep "^$1: " "$run.err" | sed 's/: [^ ]* /: /' | grep -F "$1: $2"
}

plan 9
start needed ''
ended
check 'a host that fails gives the run its status' test "$status" -eq 1
check 'it is the cause' told 'first cause' 'member 2 (host): '
check 'its guest is given up' told 'then' 'member 1 (guest): given up: host 2, which is essential, has failed'
check 'and its work is not done' eval '! passes 1'
test "$status" -eq 1 || show "$run.out" "$run.err" "$run"/*/log

start alone '/essential: true/d'
until_true grep -q 'waiting for the guests' "$run/progress.jsonl"
touch "$run/2/nfsrootfs/go"
ended
check 'a host that is not essential may fail' told 'first cause' 'member 2 (host): '
check 'its guest does its work' passes 1

start killed '/essential: true/d
/connection: ssh/{n
s/.*count:.*/&\n        essential: true/
}
s/lava-test-raise no-disk/while :; do sleep 1; done/'
until_true grep -q LAVA_WAIT.busy "$run/2/console.log"
grep -lzxF "MN_RUN_MEMBER=$run/1" /proc/[0-9]*/environ 2>/dev/null | cut -d / -f 3 |
	while read -r process
	do
		! grep -qxs serial-expect "/proc/$process/comm" || kill -s KILL "$process"
	done
ended
check 'a guest that is killed gives the run its status' test "$status" -eq 137
check 'it is the cause' told 'first cause' 'member 1 (guest): serial-expect was ended by SIGKILL'
check 'its host is given up' told 'then' 'member 2 (host): given up: guest 1, which is essential, has failed'
