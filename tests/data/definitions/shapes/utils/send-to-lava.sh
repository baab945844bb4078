#!/bin/sh
# send-to-lava.sh FILE: a line "CASE RESULT [NUMBER [UNITS]]" becomes a case.
set -eu
while read -r name result number units; do
	# shellcheck disable=SC2086 # as many words as there are
	lava-test-case "$name" --result "$result" ${number:+--measurement $number} ${units:+--units $units}
done <"$1"
