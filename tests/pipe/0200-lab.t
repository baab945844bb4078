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

need lab true
plan 6
check 'the exit status is that of the command' status_of 5 lab sh -c 'exit 5'
check 'standard input is that of the lab' standard_input_arrives
check 'artefacts are served over HTTP' artefacts_are_served
check 'no network leads out of it' there_is_no_way_out
check 'SIGINT reaches the command' told_to_end
check 'nothing that a command leaves running survives' nothing_survives
