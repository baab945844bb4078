# shellcheck shell=sh
# The main job on one of the boards, run and judged: nine points.
# shellcheck disable=SC2154 # lib.sh sets top and scratch

# The fields of each result of a test or a run, without those of single actions of the boot.
results () {
	sed -E 's/.*"definition":"([^"]*)","case":"([^"]*)".*"result":"([^"]*)".*"job_id":"([^"]*)","role":"([^"]*)".*/\4 \5 \1 \2 \3/' "$1" |
		awk '$3 != "lava" || $4 == "job" || $4 ~ /^[0-9]+_/' |
		sort
}

# moment FILE PATTERN: when the first message that matches was written.
moment () {
	grep -E -m 1 -- "$2" "$1" | sed -E 's/.*"at":"([^"]*)".*/\1/'
}

# in_order FIRST SECOND: both are known, and the first came before. Moments of one form sort as text.
in_order () {
	printf '%s before %s\n' "$1" "$2"
	test -n "$1" && test -n "$2" && expr "x$1" \< "x$2" >/dev/null
}

guests_waited_for_the_start () {
	sent=$(moment "$run/progress.jsonl" '"job_id":"4".*"step":"call","text":"lava-send lava_start"')
	for id in 1 2 3
	do
		reached=$(moment "$run/progress.jsonl" "\"job_id\":\"$id\".*\"tool\":\"ssh-connect\".*\"step\":\"connect\"")
		in_order "$sent" "$reached" || return 1
	done
}

host_outlived_its_guests () {
	off=$(moment "$run/progress.jsonl" '"job_id":"4".*"step":"power-off"')
	for id in 1 2 3
	do
		out=$(moment "$run/results.jsonl" "\"definition\":\"lava\",\"case\":\"job\".*\"job_id\":\"$id\"")
		in_order "$out" "$off" || return 1
	done
}

nothing_is_held () {
	for held in "$run"/*/held
	do
		awk '/^\+/ { open[substr($1, 2)] = $0 } /^-/ { delete open[substr($1, 2)] } END { for (k in open) { print open[k]; bad = 1 } exit bad }' "$held" || return 1
	done
}

nothing_staged_is_left () {
	find "$run" \( -name nfsrootfs -o -name tftp -o -type s -o -type p \) | grep . && return 1
	return 0
}

no_private_key_on_the_board () {
	for archive in "$run"/*/*-overlay-*.tar.gz
	do
		test -s "$archive" || return 1
		tar -xzOf "$archive" | grep -a 'PRIVATE KEY' && return 1
	done
	return 0
}

judge () {
	run=$scratch/run
	plan 9
	status=0
	timeout 180 "$top/tests/board/run-job" "$1" --output "$run" >"$scratch/out" 2>"$scratch/err" </dev/null || status=$?
	check "mn-run ends with 0 within 180 s" test "$status" -eq 0
	check 'nothing is said on standard error' test ! -s "$scratch/err"
	check 'the table counts four members' grep -q '^4 members: .* 0 failed, 0 skipped, 0 unknown$' "$scratch/out"
	results "$run/results.jsonl" >"$scratch/results"
	check 'every case of every member passed, and nothing else was reported' \
		diff -u "$top/tests/pipe/mustang.expected" "$scratch/results"
	check 'no guest reaches the board before the host has sent lava_start' guests_waited_for_the_start
	check 'the host powers off after its guests have logged out' host_outlived_its_guests
	check 'what was held in the world is struck out' nothing_is_held
	check 'what was staged is gone' nothing_staged_is_left
	check 'no overlay carries a private key' no_private_key_on_the_board
	test "$status" -eq 0 || show "$scratch/out" "$scratch/err" "$run"/*/log "$run"/4/console.log
}
