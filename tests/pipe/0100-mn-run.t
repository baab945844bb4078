#!/bin/sh
# mn-run's own command line, and what it leaves when a job is refused.
set -u
# shellcheck source=lib.sh
. "$(dirname -- "$0")/lib.sh"
cd "$scratch" || exit 1

# says STATUS TEXT ARGUMENTS...: mn-run ends with the status and says the text on standard error.
says () {
	expected=$1 text=$2
	shift 2
	status=0
	mn-run "$@" >out 2>err </dev/null || status=$?
	cat err
	test "$status" -eq "$expected" && grep -qF -- "$text" err
}

plan 10
check '--help is on standard output and names the page' sh -c 'mn-run --help | grep -qx "See mn-run(1)."'
check 'no job is a usage error' says 2 "Try 'mn-run --help'"
check 'a second job is one too many' says 2 "'b' is one too many" a b
check 'an option without its value is named' says 2 "option '--device' needs a value" job.yaml --device
check 'a missing job is named' says 3 "cannot open 'no-such.yaml'" no-such.yaml
printf 'job_name: [\n' >bad.yaml
check 'a broken job is refused with file and line' says 2 'bad.yaml:2' bad.yaml
check 'nothing is left of a refused job' test -z "$(ls pumice-runs)"
mkdir there
check 'a run directory that is there is not touched' says 3 "cannot make the run directory 'there'" -o there bad.yaml

# Roles that wait for their end, and a mkdir in whose time the signal comes: members are still to be started.
mkdir -p libexec/roles fake
cat >libexec/roles/host <<-'END'
	#!/bin/sh
	printf '%s %s\n' "${0##*/}" "$1" >>"$MN_RUNDIR/started"
	sleep 60 &
	echo "$!" >"$MN_RUNDIR/$1/pid"
	test ! -e "$MN_RUNDIR/signal" || kill "$!"
	wait "$!"
END
cat >fake/mkdir <<-'END'
	#!/bin/sh
	case $* in */2) kill -s TERM "$PPID" ;; esac
	exec /bin/mkdir "$@"
END
chmod +x libexec/roles/host fake/mkdir
cp libexec/roles/host libexec/roles/guest
told_at_the_start () {
	PATH=$scratch/fake:$PATH MN_LIBEXECDIR=$scratch/libexec says 143 'mn-run: told to end by SIGTERM' -o told \
		--device "mustang=$top/tests/data/devices/board-model.yaml" "$top/tests/data/jobs/mustang-ssh-guest.yaml"
}
check 'a signal between two members ends those before it and after it' told_at_the_start
printf '%s\n' 'guest 1' 'guest 2' 'guest 3' 'host 4' >expected
sort told/started >started
check 'and each is started as what it is' diff expected started
