#!/bin/sh
# What 'make install' puts into a package is enough to run a job, and 'make uninstall' takes all of it away.
set -u
# shellcheck source=lib.sh
. "$(dirname -- "$0")/lib.sh"

# The tools are built already: by whom the tests are run.
make_goal () {
	make -s -C "$top" "$@" CARGO=true PREFIX="$scratch/usr"
}

# Packed in one place and unpacked in another, as packages are.
install_package () {
	make_goal install DESTDIR="$scratch/package" && mv "$scratch/package$scratch/usr" "$scratch/usr"
}

nothing_else_is_packed () {
	find "$scratch/package" ! -type d | grep . && return 1
	return 0
}

job_runs () {
	PUMICE_BIN=$scratch/usr/bin timeout 120 "$top/tests/board/run-job" model --output "$scratch/run" </dev/null
}

cleans () {
	"$scratch/usr/bin/mn-run" clean "$scratch/run" >"$scratch/said" 2>&1 && test ! -s "$scratch/said"
}

uninstall () {
	make_goal uninstall
	find "$scratch/usr" ! -type d | grep . && return 1
	test ! -e "$scratch/usr/libexec/pumice"
}

need lab true
plan 6
check 'it is installed below DESTDIR' install_package
check 'and nothing beside it' nothing_else_is_packed
check 'the installed mn-run says that it is' sh -c "'$scratch/usr/bin/mn-run' --version | grep '^mn-run [0-9]'"
check 'it runs a job' job_runs
check 'it finds nothing to clean up after that' cleans
check 'it is uninstalled without a rest' uninstall
