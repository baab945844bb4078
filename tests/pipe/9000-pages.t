#!/bin/sh
# The pages: README.md is pumice(7), every tool has a page that its --help names.
set -u
# shellcheck source=lib.sh
. "$(dirname -- "$0")/lib.sh"


plan 17
check 'README.md is made from pumice(7)' sh -c \
	"{ printf '# pumice\n\n'; mandoc -Tmarkdown '$top/man/pumice.7' | sed -e '1,4d' -e '\$d' -e 's/^# /## /'; } | diff -u '$top/README.md' -"
for tool in job-split overlay-pack tftp-stage serial-expect ssh-connect mn-broker mn-report mn-run
do
	check "$tool(1) is clean mdoc" mandoc -Tlint -Wwarning "$top/man/$tool.1"
	"$tool" --help >"$scratch/help" 2>&1
	check "$tool --help names its page" grep -qF "See $tool(1)." "$scratch/help"
done
