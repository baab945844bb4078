#!/bin/sh
# The pages: README.md is pumice(7), every tool has a page that its --help names.
set -u
# shellcheck source=lib.sh
. "$(dirname -- "$0")/lib.sh"


# The options of the tool $1 and of its verbs, one a line, as --help names them.
options () {
	verbs=$("$1" --help 2>&1 | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p' | grep -vx help)
	for verb in '' $verbs
	do
		# shellcheck disable=SC2086 # no verb is no argument
		"$1" $verb --help 2>&1
	done | sed -n 's/^ *\(-[A-Za-z]\{1,1\}, \)\{0,1\}\(--[a-z-]*\).*/\1\2/p' | tr -d ' ' | tr , '\n' | sort -u
}

# The page of the tool $1 has each of its options, and reads as it was meant.
reads_well () {
	# Bold letters are struck twice.
	mandoc -Tascii "$top/man/$1.1" | sed "s/.$(printf '\b')//g" >"$scratch/page"
	! grep -n "<the>\|''" "$scratch/page" || return 1
	for option in $(options "$1")
	do
		grep -q -e "$option" "$scratch/page" || { printf 'no %s\n' "$option"; return 1; }
	done
}

plan 25
check 'README.md is made from pumice(7)' sh -c \
	"{ printf '# pumice\n\n'; mandoc -Tmarkdown '$top/man/pumice.7' | sed -e '1,4d' -e '\$d' -e 's/^# /## /'; } | diff -u '$top/README.md' -"
for tool in job-split overlay-pack tftp-stage serial-expect ssh-connect mn-broker mn-report mn-run
do
	check "$tool(1) is clean mdoc" mandoc -Tlint -Wwarning "$top/man/$tool.1"
	check "$tool(1) has all options" reads_well "$tool"
	"$tool" --help >"$scratch/help" 2>&1
	check "$tool --help names its page" grep -qF "See $tool(1)." "$scratch/help"
done
