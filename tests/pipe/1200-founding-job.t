#!/bin/sh
# Jobs that are odd and run: the one of LAVA's documentation word for word, where this machine has
# it, and one of our own with the same oddities. Rewritten addresses are all they are given.
set -u
# shellcheck source=lib.sh
. "$(dirname -- "$0")/lib.sh"
# shellcheck source=mustang.sh
. "$top/tests/pipe/mustang.sh"

mirror=http://127.0.0.1:8000
points=9

# place NUMBER PATTERN: LINE:COLUMN of the first word in that one of the job's lines that match.
place () {
	awk -v "wanted=$1" -v "pattern=$2" '
	$0 ~ pattern && ++n == wanted { match($0, /[^ ]/); print NR ":" RSTART; exit }
	' "$job"
}

# What mn-run says on standard error: first about the job, with places in its file; then about the
# board, which has no package manager, and of the key given twice wants what stands last.
warnings () {
	printf 'job-split: warning: %s:%s: prompts differ from those of '\''host'\'', whose system this is, at %s\n' \
		"$job" "$(prompts_of guest)" "$(prompts_of host)"
	printf 'job-split: warning: %s:%s: duplicate key '\''install'\'': this one counts, the one at %s does not\n' \
		"$job" "$(place 2 '^ *install:')" "$(place 1 '^ *install:')"
	for packages in 'openssh-server net-tools iproute2' 'curl usbutils iputils-ping'
	do
		printf "4 serial-expect: warning: lava-install-packages: cannot install '%s': %s; %s\n" "$packages" \
			'no package manager on this system (apt-get, dnf, yum, apk, opkg, pacman, zypper)' \
			'going on without, as the job names no os'
	done
}

# prompts_of ROLE: the place of 'prompts' in the role's boot.
prompts_of () {
	awk -v "role=$1" '
	/^- / { boot = $2 == "boot:"; its = 0 }
	boot && $1 == "-" && $2 == role { its = 1 }
	boot && its && $1 == "prompts:" { match($0, /[^ ]/); print NR ":" RSTART; exit }
	' "$job"
}

guests_list_their_overlays () {
	for id in 1 2 3
	do
		tr -d '\r' <"$run/$id/console.log" | grep -x "lava-$id/bin/lava-test-case" || return 1
	done
}

# run_job JOB ARTEFACTS REPOSITORY: sets job, run, the run directory, and status.
run_job () {
	job=$1 run=$scratch/${1##*/}
	status=0
	PUMICE_JOB=$job timeout 180 "$top/tests/board/run-job" model --output "$run" \
		--rewrite "$2=$mirror/stretch/" --rewrite "$3=$mirror/git/functional-tests.git" \
		>"$scratch/out" 2>"$scratch/err" </dev/null || status=$?
	results "$run/results.jsonl" >"$scratch/results"
}

# judge_job NAME JOB ARTEFACTS REPOSITORY: as many points as 'points' says.
judge_job () {
	name=$1
	shift
	run_job "$@"
	check "$name: mn-run ends with 0 within 180 s" test "$status" -eq 0
	warnings >"$scratch/warnings"
	# Without the source lines below each, and without what its time limits deserve: tests of job-split look at that.
	grep -E '^([0-9]+ )?[a-z-]+: ' "$scratch/err" | grep -v 'may need [0-9]* s to deploy and boot$' >"$scratch/said"
	check "$name: a key given twice, prompts that never come, missing packages: warnings, nothing else" \
		diff -u "$scratch/warnings" "$scratch/said"
	check "$name: the table counts four members" grep -q '^4 members: .* 0 failed, 0 skipped, 0 unknown$' "$scratch/out"
	check "$name: every case of every suite of every member passed" \
		diff -u "$top/tests/pipe/founding.expected" "$scratch/results"
	check "$name: each guest finds its overlay under its own id" guests_list_their_overlays
	check "$name: no guest reaches the board before the host has sent lava_start" guests_waited_for_the_start
	check "$name: the host powers off after its guests have logged out" host_outlived_its_guests
	check "$name: what was held in the world is struck out" nothing_is_held
	check "$name: what was staged is gone" nothing_staged_is_left
	test "$status" -eq 0 || show "$scratch/out" "$scratch/err" "$run"/*/log "$run"/4/console.log
}

need lab true
plan $((2 * points))
judge_job 'our own' "$top/tests/data/jobs/ssh-guests-peculiar.yaml" \
	http://images.example.org/debian/stretch/3/ \
	http://git.example.org/tests/functional.git
founding=$top/../shared/spec/mustang-ssh-guest.yaml
if test -r "$founding"
then
	judge_job 'the founding job' "$founding" \
		http://images.validation.linaro.org/snapshots.linaro.org/components/lava/standard/debian/stretch/arm64/3/ \
		http://git.linaro.org/lava-team/lava-functional-tests.git
else
	skip "$points" "there is no '$founding'"
fi
