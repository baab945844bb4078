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

plan 12
check '--help is on standard output and names the page' sh -c 'mn-run --help | grep -qx "See mn-run(1)."'
check 'no job is a usage error' says 2 "Try 'mn-run --help'"
check 'a second job is one too many' says 2 "'b' is one too many" a b
check 'an option without its value is named' says 2 "option '--device' requires an argument" job.yaml --device
check 'a missing job is named' says 3 "cannot open 'no-such.yaml'" no-such.yaml
printf 'job_name: [\n' >bad.yaml
check 'a broken job is refused with file and line' says 2 'bad.yaml:2' bad.yaml
check 'nothing is left of a refused job' test -z "$(ls pumice-runs)"
mkdir there
check 'a run directory that is there is not touched' says 3 "cannot make the run directory 'there'" -o there bad.yaml

set -- --device "mustang=$top/tests/data/devices/board-model.yaml" "$top/tests/data/jobs/mustang-ssh-guest.yaml"
mkdir bad
printf '#!/bin/sh\nexit 1\n' >bad/ssh-keygen
chmod +x bad/ssh-keygen
ln -s "$top/tools/mn-run/clean" bad
no_keys () {
	PATH=$scratch/bad:$PATH says 3 "cannot make what is in '$scratch/no-keys'" -o no-keys "$@"
}
check 'a key pair that cannot be made ends the run' no_keys "$@"
no_pipelines () {
	MN_LIBEXECDIR=$scratch/bad says 3 "cannot run '$scratch/bad/roles/guest'" -o no-pipelines "$@"
}
check 'a member of which nobody says what it runs ends it, too' no_pipelines "$@"

# Stages of which the second tells mn-run to end: other members are still to be started, other roles have just begun.
mkdir fake
cat >fake/overlay-pack <<-'END'
	#!/bin/sh
	read -r pid <"$MN_RUNDIR/mn-run.pid"
	kill -s TERM "$pid"
END
printf '#!/bin/sh\nexec cat\n' | tee fake/tftp-stage >fake/ssh-connect
printf '#!/bin/sh\nexec sleep 60\n' >fake/serial-expect
chmod +x fake/*
told_at_the_start () {
	PATH=$scratch/fake:$PATH says 143 'mn-run: told to end by SIGTERM' -o told "$@"
}
check 'a signal that comes while roles begin ends mn-run' told_at_the_start "$@"
printf '143\n143\n143\n143\n' >expected
cat told/[1-4]/status >statuses
check 'and every one of them' diff expected statuses
