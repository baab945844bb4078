#!/bin/sh
# The lab in which the boards of the tests run: what goes in comes out, and nothing stays.
set -u
# shellcheck source=lib.sh
. "$(dirname -- "$0")/lib.sh"
cd "$scratch" || exit 1

status_of () {
	expected=$1
	shift
	status=0
	"$@" >out 2>err </dev/null || status=$?
	cat out err
	test "$status" -eq "$expected"
}

# The command says when it is there, and is then told to end.
told_to_end () {
	mkfifo ready
	env --default-signal=INT,QUIT lab sh -c 'trap "exit 7" INT; echo >ready; while :; do read -r _ <ready; done' &
	pid=$!
	read -r _ <ready
	kill -s INT "$pid"
	status=0
	wait "$pid" || status=$?
	test "$status" -eq 7
}

# What a command leaves running ends with it: the fifo's last writer is gone.
nothing_survives () {
	mkfifo held
	lab sh -c 'exec 3>held; sleep 600 & exit 0' &
	timeout 10 cat held
}

standard_input_arrives () {
	test "$(echo hello | lab cat)" = hello
}

artefacts_are_served () {
	mkdir served && echo kernel >served/vmlinuz
	test "$(lab --artefacts served busybox wget -q -O - http://127.0.0.1:8000/vmlinuz)" = kernel
}

there_is_no_way_out () {
	lab ip route >routes && test ! -s routes
}

# fake NAME TEXT: a command that fails with the text, before all others of its name.
fake () {
	mkdir -p fakes
	printf '#!/bin/sh\nprintf "%%s\\n" "%s" >&2\nexit 1\n' "$2" >"fakes/$1"
	chmod +x "fakes/$1"
}

without_namespaces () {
	fake unshare 'unshare: unshare failed: No space left on device'
	PATH=$scratch/fakes:$PATH status_of 3 lab true && grep -qx 'lab: cannot make namespaces: unshare failed: No space left on device' err
}

# Each test of pipelines that needs a lab, here as prove runs it.
tests_are_skipped () {
	for test in "$top"/tests/pipe/1*.t
	do
		PATH=$scratch/fakes:$PATH "$test" >out 2>&1 </dev/null
		echo "$test" && cat out
		grep -qx '1..0 # SKIP lab: cannot make namespaces: unshare failed: No space left on device' out || return 1
	done
}

packages_are_named () {
	fake dpkg-query 'no such package'
	fake id 1000
	printf '#!/bin/sh\necho 1000\n' >fakes/id
	PATH=$scratch/fakes:$PATH status_of 2 packages-install &&
		grep -qx 'packages-install: packages are missing, run as root:' err &&
		grep -qx "apt-get install --no-install-recommends gcc libc6-dev .*" out
}

# Built on nothing: an old board gives way to a new one, unless it was used within a day.
old_boards_go () {
	mkdir cache cache/board-1 cache/board-2 cache/board-3 cache/board-4
	touch -d '5 days ago' cache/board-1
	touch -d '4 days ago' cache/board-2
	touch -d '3 days ago' cache/board-3
	sed '/^prune() {/,/^}/!d' "$top/tests/board/build" >prune
	cache=$scratch/cache sh -c '. ./prune; prune' &&
		test -d cache/board-4 && test -d cache/board-3 && test ! -e cache/board-2 && test ! -e cache/board-1
}

plan 10
if ! lab true >need 2>&1
then
	skip 6 "$(head -n 1 need)"
else
	check 'the exit status is that of the command' status_of 5 lab sh -c 'exit 5'
	check 'standard input is that of the lab' standard_input_arrives
	check 'artefacts are served over HTTP' artefacts_are_served
	check 'no network leads out of it' there_is_no_way_out
	check 'SIGINT reaches the command' told_to_end
	check 'nothing that a command leaves running survives' nothing_survives
fi
check 'where no namespaces can be made it says why' without_namespaces
check 'and the tests that need them are skipped, by name and with the reason' tests_are_skipped
check 'packages that are missing are named in a command for root' packages_are_named
check 'of the boards that are kept the old ones go' old_boards_go
