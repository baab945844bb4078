#!/bin/sh
# mn-run's log of a run is a script: replayed it passes, as a whole and with a member's lines typed elsewhere.
set -u
# shellcheck source=lib.sh
. "$(dirname -- "$0")/lib.sh"
# shellcheck source=mustang.sh
. "$top/tests/pipe/mustang.sh"

# The first of the blocks that the log has for the member $1.
block () {
	awk -v "member=# member $1 " 'BEGIN { RS = ""; ORS = "\n\n" } index($0, member) == 1' "$2"
}

without_block () {
	awk -v "member=# member $1 " 'BEGIN { RS = ""; ORS = "\n\n" } index($0, member) != 1' "$2"
}

# A shell of its own, for a person who has only the run directory; it waits until the group has met.
by_hand () {
	until test -d "$again" && mn-broker --socket "$again/broker.sock" status >/dev/null 2>&1
	do
		sleep 0.1
	done
	{ block "$1" "$run/commands"; echo wait; } | MN_RUNDIR=$again sh
}

# Inside the lab of the run: the run, its replay, and one with the host typed elsewhere.
inside () {
	"$@" >"$scratch/0.out" 2>"$scratch/0.err"
	echo "$?" >"$scratch/0.status"
	cd / || exit 1
	sh "$run/commands" "$scratch/1.run" >"$scratch/1.out" 2>"$scratch/1.err"
	echo "$?" >"$scratch/1.status"
	again=$scratch/2.run
	without_block 4 "$run/commands" >"$scratch/without"
	by_hand 4 >"$scratch/hand" 2>&1 &
	sh "$scratch/without" "$again" >"$scratch/2.out" 2>"$scratch/2.err"
	echo "$?" >"$scratch/2.status"
	wait
}

# As the run that was logged, member by member and case by case.
reports_the_same () {
	results "$scratch/$1.run/results.jsonl" | diff -u "$scratch/results" -
}

ended_with_0 () {
	test "$(cat "$scratch/$1.status")" = 0
}

leaves_nothing () {
	run=$scratch/$1.run
	nothing_is_held && nothing_staged_is_left
}

same_table () {
	grep -v '^run directory: ' "$scratch/0.out" | diff -u - "$scratch/$1.out"
}

# What a shell would make something of; a boot command takes no spaces.
odd="it's-\$(false)"
if test "${1-}" = --inside
then
	rmdir "$scratch"
	scratch=$2 run=$2/$odd
	trap - EXIT
	shift 2
	inside "$@"
	exit
fi

need lab true
plan 10
run=$scratch/$odd
PUMICE_UNDER="$0 --inside $scratch" timeout 180 "$top/tests/board/run-job" model --output "$run" \
	--rewrite "http://odd.example.org/'*\$(false)\\;=file:///&" >"$scratch/out" 2>&1 </dev/null
results "$run/results.jsonl" >"$scratch/results"
check 'the run passes' ended_with_0 0
check 'its log is a script without mistakes' shellcheck -S warning "$run/commands"
check 'replayed, it passes' ended_with_0 1
check 'its table is that of the run' same_table 1
check 'the replay has the results of the run' reports_the_same 1
check 'the replay leaves nothing' leaves_nothing 1
check 'with the lines of the host taken out, and typed elsewhere, it passes' ended_with_0 2
check 'its results are those of the run' reports_the_same 2
check 'it leaves nothing' leaves_nothing 2
check 'nothing is said meanwhile' test ! -s "$scratch/1.err" -a ! -s "$scratch/2.err"
for number in 0 1 2
do
	test "$(cat "$scratch/$number.status")" = 0 || show "$scratch/$number.out" "$scratch/$number.err"
done
