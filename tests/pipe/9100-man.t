#!/bin/sh
# shellcheck disable=SC2317 # a page names the function that makes its scene
# The manual's examples: each command of each page runs, on the board model where it needs a board.
set -u
# shellcheck source=lib.sh
. "$(dirname -- "$0")/lib.sh"

# commands PAGE: the commands under EXAMPLES as a reader sees them, one a line.
commands () {
	awk '
	/^\.Sh/ { here = $2 == "EXAMPLES" }
	!here { next }
	{ sub(/^\.Dl /, ""); gsub(/\\e/, "\\") }
	more || sub(/^\$ /, "") {
		more = /[|\\]$/
		sub(/\\$/, "")
		printf more ? "%s " : "%s\n", $0
	}' "$1"
}

# What a page takes for granted: its directories are below $place, its serial port is the model's, there is no
# terminal to make raw. A server says when it can be used, since no time passes here until the next line is typed.
adapt () {
	sed -e 's|/var/tmp/|@/|g' -e 's|/srv/|@/|g' -e 's|-o /tmp|-o @|; s|/tmp/|@/|g' -e "s|@|$place|g" \
		-e 's|-c /dev/ttyUSB0,115200n8|-c "exec:board-model console"|' \
		-e 's|-,raw,echo=0 unix:\([^ ]*\)|-,ignoreeof unix-connect:\1,retry=300,interval=0.1|' \
		-e 's|\( serve .*\)&$|\1 --ready-fd 3 3>ready \& read -r _ <ready|'
}

# The status that the command number $2 of the page $1 ends with: 2 where the example is a refusal, 124 where it
# goes on until somebody ends it.
expected () {
	case $1:$2 in
	job-split.1:3) echo 2 ;;
	serial-expect.1:4|tftp-stage.1:2|mn-broker.1:10) echo 124 ;;
	*) echo 0 ;;
	esac
}

# The files that the pages name.
make_files () {
	mkdir -p "$place/lab" "$place/run/keys" "$place/board"
	cd "$place" || exit 1
	mkfifo ready
	sed 's|:8000/arm64/|:8000/amd64/|' "$top/tests/data/jobs/mustang-ssh-guest.yaml" >job.yaml
	cp job.yaml mustang-ssh-guest.yaml
	for dictionary in mustang.yaml mustang-1.yaml lab/mustang-1.yaml
	do
		cp "$top/tests/data/devices/board-model.yaml" "$dictionary"
	done
}

split () {
	job-split --job-id 74585 --device mustang=mustang.yaml "$@"
}

plug_in_board () {
	BOARD_MODEL_DIR=$place/board
	export BOARD_MODEL_DIR
	board-model serve --ready-fd 3 3>ready &
	read -r _ <ready
}

# A run directory as mn-run makes it.
start_group () {
	MN_RUNDIR=$place/run
	export MN_RUNDIR
	plug_in_board
	ssh-keygen -q -t ed25519 -N '' -f run/keys/id_ed25519
	split job.yaml >run/roles.jsonl
	mn-broker serve --socket run/broker.sock --members run/roles.jsonl --ready-fd 3 3>ready &
	read -r _ <ready
}

# A group whose host has no guests to wait for.
start_lone_host () {
	sed -i '0,/- lava-sync clients/{//d}' job.yaml
	start_group
	for guest in 74585 74586 74587
	do
		mn-broker leave "$guest"
	done
}

scene () {
	case $1 in
	job-split.1) sed -i 's/expect_role: host/expect_role: hots/' job.yaml ;;
	mn-run.1) plug_in_board ;;
	mn-report.1)
		start_lone_host
		mkdir -p pumice-runs/1
		printf '' >pumice-runs/1/results.jsonl
		split --only 74588 job.yaml | overlay-pack | tftp-stage --serve --hold >role.jsonl &
		until grep -q '"type":"end"' role.jsonl 2>/dev/null
		do
			sleep 0.1
		done
		;;
	serial-expect.1) start_lone_host ;;
	tftp-stage.1)
		start_lone_host
		# Its namespace has no way to the server of the artefacts.
		split --only 74588 --rewrite "http://127.0.0.1:8000/amd64/=file://$board/amd64/" job.yaml >message.jsonl
		;;
	ssh-connect.1)
		start_group
		{ split --only 74588 job.yaml | overlay-pack | tftp-stage --serve | serial-expect >/dev/null; } 2>host.err &
		;;
	esac
}

# A person would see that the job has begun.
await_socket () {
	tries=0
	until test -S "$1" || test "$tries" -ge 300
	do
		sleep 0.1
		tries=$((tries + 1))
	done
}

# The commands of one page in one shell, one after the other; their statuses go to the file 'statuses'. A session
# that is used from another terminal goes on beside the commands that come after it.
inside () {
	page=$1 board=$2 place=$3
	make_files
	scene "$page"
	n=0 session=''
	while read -r command
	do
		n=$((n + 1)) status=0
		case $command in
		*'| ssh-connect -v'|*'| serial-expect -v -c '*) command="$command &" session=$n ;;
		'serial-expect attach '*) await_socket "${command##* }" ;;
		'tail -f '*|*' --hold '*|*' --counted sync '*) command="timeout -s INT 3 $command" ;;
		esac
		{ eval "$command" || status=$?; } >"$n.out" 2>&1 <typed
		test "$n" != "$session" || { held=$!; continue; }
		printf '%s %s\n' "$n" "$status"
	done >statuses
	test -z "$session" || {
		wait "$held"
		printf '%s %s\n' "$session" "$?" >>statuses
	}
}

status_is () {
	cat "$place/$n.out"
	# A pipe's status is that of its last stage only.
	grep "^Try '" "$place/$n.out" && return 1
	grep -x "$n $(expected "$page" "$n")" "$place/statuses"
}

case ${1-} in
--inside)
	shift
	trap - EXIT
	rmdir "$scratch"
	inside "$@"
	exit
	;;
esac

need lab true
board=$("$top/tests/board/build") || exit 1
pages=$(cd "$top/man" && ls -- *.1 *.5)
for page in $pages
do
	commands "$top/man/$page" >"$scratch/$page.commands"
done
plan "$(cat "$scratch"/*.commands | wc -l)"
for page in $pages
do
	place=$scratch/$page.d
	mkdir "$place"
	echo exit >"$place/typed"
	adapt <"$scratch/$page.commands" >"$scratch/adapted"
	timeout 120 lab --artefacts "$board" "$0" --inside "$page" "$board" "$place" <"$scratch/adapted" >"$scratch/said" 2>&1
	n=0
	while read -r command
	do
		n=$((n + 1))
		check "$page: $command" status_is
	done <"$scratch/$page.commands"
done
