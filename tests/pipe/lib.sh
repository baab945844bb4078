# shellcheck shell=sh
# What the tests of pipelines share: TAP on standard output, a scratch directory, the built tools on PATH.
#
# A test sources this, calls plan, then check for each point. Output of a tool goes to a file before it is
# looked at, and what a failed check says goes to standard error, where prove(1) lets it through.

top=$(cd -- "$(dirname -- "$0")/../.." && pwd)
PATH=${PUMICE_BIN:-$top/target/release}:$top/tools/mn-run:$top/tests/board:$PATH
export PATH
unset MN_RUNDIR MN_SOCKET MN_MEMBER
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
point=0 failures=0

plan () {
	printf '1..%s\n' "$1"
}

# check DESCRIPTION COMMAND...: one point; it passes when the command succeeds.
check () {
	point=$((point + 1))
	description=$1
	shift
	if "$@" >"$scratch/check" 2>&1
	then
		printf 'ok %s - %s\n' "$point" "$description"
	else
		failures=$((failures + 1))
		printf 'not ok %s - %s\n' "$point" "$description"
		printf '# not ok %s - %s\n# %s\n' "$point" "$description" "$*" >&2
		sed 's/^/# /' "$scratch/check" >&2
	fi
}

# failed: whether a point has not passed.
failed () {
	test "$failures" -gt 0
}

# skip COUNT REASON: so many points cannot be looked at here.
skip () {
	for _ in $(seq "$1")
	do
		point=$((point + 1))
		printf 'ok %s # SKIP %s\n' "$point" "$2"
	done
}

# need COMMAND...: where the command fails the whole test is skipped, and what it said is why.
need () {
	"$@" >"$scratch/need" 2>&1 || {
		printf '1..0 # SKIP %s\n' "$(head -n 1 "$scratch/need")"
		exit 0
	}
}

# until_true COMMAND...: waits for it, 20 seconds at the most.
until_true () {
	tries=0
	until "$@" >/dev/null 2>&1
	do
		tries=$((tries + 1))
		test "$tries" -lt 200 || return 1
		sleep 0.1
	done
}

# show FILE...: what a person needs to see after a failure.
show () {
	for file
	do
		printf '# --- %s\n' "$file"
		tail -n 60 -- "$file" | sed 's/^/# /'
	done >&2
}
