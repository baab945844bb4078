#!/bin/sh
# A broker that is killed again and again, and started again as mn-broker(1) says: the group goes on.
set -eu
. "$(dirname -- "$0")/lib.sh"
plan 7

# example FIRST: the example of the page that begins with this line, as a reader sees it.
example () {
	awk -v first="$1" '
	$0 == first { here = 1 }
	/^\.Ed/ { here = 0 }
	here { gsub(/\\e/, "\\"); print }' "$top/man/mn-broker.1"
}

# Where the page has the directories of a system, this has its own; there is no user to become.
adapt () {
	sed -e "s|/run/pumice/|$scratch/|; s|/etc/pumice/|$scratch/|; s|/var/lib/pumice/|$scratch/|" -e 's|chpst -u lab ||'
}

socket=$scratch/broker.sock
cat >"$scratch/roles.jsonl" <<-'END'
	{"v":1,"type":"role","data":{"job_id":"1","group":{"name":"g","size":2,"members":[{"job_id":"1","role":"a"},{"job_id":"2","role":"b"}]}}}
	{"v":1,"type":"end","data":{"status":0}}
END
example '#!/bin/sh' | adapt >"$scratch/run"
chmod +x "$scratch/run"

# What a supervisor does: start it again, unless it has ended in order; but not for ever.
supervise () {
	for _ in 1 2 3 4 5
	do
		! "$scratch/run" || return 0
	done 2>>"$scratch/run.log"
	return 1
}

shows () {
	mn-broker --socket "$socket" status | grep -q "$1"
}

# The broker's own word for its process.
broker () {
	echo | socat -t 20 - "UNIX-CONNECT:$socket" | sed -n 's/.*"pid":\([0-9]*\).*/\1/p'
}

crash () {
	victim=$(broker)
	kill -9 "$victim"
	until_true succeeded "$victim"
}

succeeded () {
	heir=$(broker)
	test -n "$heir" && test "$heir" != "$1"
}

# What it does not understand it says, and takes no notice of.
understood () {
	systemd-analyze verify --man=no "$scratch/mn-broker.service" 2>"$scratch/verify" || return 1
	! grep -F "$scratch" "$scratch/verify"
}

supervise &
supervisor=$!
trap 'kill "$(broker)" 2>/dev/null || :; rm -rf "$scratch"' EXIT
check 'the script of the page runs a broker' until_true shows '^1 '

mn-broker --socket "$socket" --member 1 join &
joined=$!
until_true shows '^1 .* joined'
mn-broker --socket "$socket" --member 1 sync s --timeout 60 &
sync=$!
until_true shows '^1 .* sync s'
check 'it is killed, and comes back' crash
check 'and again' crash
mn-broker --socket "$socket" --member 2 sync s --timeout 60 || :
check 'a sync that began before ends after' wait "$sync"
check 'and its member is alive' shows '^1 .* joined'
kill "$joined"
wait "$joined" || :
kill "$(broker)"
check 'an orderly end is no reason to start it again' wait "$supervisor"
trap 'rm -rf "$scratch"' EXIT
! failed || show "$scratch/run.log"

example '[Unit]' | sed "s|/usr/local/bin/mn-broker|$(command -v mn-broker)|" >"$scratch/mn-broker.service"
if command -v systemd-analyze >/dev/null
then
	check 'systemd understands the unit of the page' understood
else
	skip 1 'no systemd-analyze'
fi
