#!/bin/sh
# A job whose watchers record the consoles of a board and of its guest, on the model of tests/board: nobody waits for
# them, they end with what they record, and their end is nobody's.
set -u
# shellcheck source=lib.sh
. "$(dirname -- "$0")/lib.sh"
need lab true

# records RECORD CONSOLE: the member of the first has recorded the console of the second, and says so.
records () {
	cmp "$run/$1/console.log" "$run/$2/console.log" || return 1
	sum=$(sha256sum <"$run/$2/console.log")
	grep "\"case\":\"record-console\".*\"job_id\":\"$1\"" "$run/results.jsonl" |
		grep -F "\"measurement\":$(wc -c <"$run/$2/console.log"),\"units\":\"bytes\",\"extra\":{\"sha256\":\"${sum%% *}\"}"
}

passes () {
	grep -q "\"case\":\"job\",\"result\":\"pass\",.*\"job_id\":\"$1\"" "$run/results.jsonl"
}

# start NAME: the job in the background, on its board until the file 'go' is in the board's root.
start () {
	run=$scratch/$1 board=$scratch/$1/2/nfsrootfs
	sed 's/^\( *\)- lava-send lava_start$/&\n\1- while ! test -e \/go; do sleep 0.1; done/' \
		"$top/tests/data/jobs/watched.yaml" >"$scratch/$1.yaml"
	PUMICE_JOB=$scratch/$1.yaml timeout 120 "$top/tests/board/run-job" model --output "$run" \
		>"$run.out" 2>"$run.err" </dev/null &
	until_true grep -q LAVA_SEND.lava_start "$run/3/console.log"
}

# kill_member ID: kills its last stage. The numbers in the run directory are those of the lab.
kill_member () {
	grep -lzxF "MN_RUN_MEMBER=$run/$1" /proc/[0-9]*/environ 2>/dev/null | cut -d / -f 3 |
		while read -r process
		do
			! grep -qxs serial-expect "/proc/$process/comm" || kill -s KILL "$process"
		done
}

# ended: waits for it; its status is in $status.
ended () {
	status=0
	wait "$!" || status=$?
}

# cause REGEXP: the first cause, without its moment.
cause () {
	grep '^first cause: ' "$run.err" | cut -d ' ' -f 4- | grep -x "$1"
}

follow () {
	grep -q '^then: .* member 3 (watcher): lost the other console: ' "$run.err" &&
		grep -q '^then: .* member 4 (watcher): lost the other console: ' "$run.err"
}

plan 16
run=$scratch/whole status=0
PUMICE_JOB=$top/tests/data/jobs/watched.yaml timeout 120 "$top/tests/board/run-job" model --output "$run" \
	>"$run.out" 2>"$run.err" </dev/null || status=$?
check 'the job ends with 0' test "$status" -eq 0
check 'nothing is said on standard error' test ! -s "$run.err"
check 'one watcher has the console of the board' records 3 2
check 'another one has it too' records 4 2
check 'the console of the guest is recorded too' records 5 1
check 'all five are in the table' grep -q '^5 members: .* 0 failed, 0 skipped, 0 unknown$' "$run.out"
test "$status" -eq 0 || show "$run.out" "$run.err" "$run"/*/log

start killed
kill_member 3
until_true test -s "$run/3/status"
touch "$board/go"
ended
check 'a watcher that is killed gives the run its status' test "$status" -eq 137
check 'it is the cause' cause 'member 3 (watcher): serial-expect was ended by SIGKILL'
check 'the others go on to their end' eval 'passes 1 && passes 2 && passes 4 && passes 5'
check 'the other watcher has the whole console' records 4 2

start dead
kill_member 2
ended
check 'a host that is killed ends the run' test "$status" -eq 137
check 'it is the cause' cause 'member 2 (host): serial-expect was ended by SIGKILL'
check 'the ends of its watchers follow from that' follow

start told
kill -s TERM "$!"
ended
check 'a run that is told to end does so' test "$status" -eq 143
check 'a watcher has the console to its end then' records 3 2
check 'and has come to its own' passes 3
