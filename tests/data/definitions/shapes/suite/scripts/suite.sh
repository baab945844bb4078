#!/bin/sh
# suite.sh -s SKIP_INSTALL -t TESTS: leave results in output/result.txt.
set -eu
skip='' tests=''
while getopts s:t: option; do
	case $option in
	s) skip=$OPTARG ;;
	t) tests=$OPTARG ;;
	*) exit 1 ;;
	esac
done
mkdir -p output
echo "skip-install $([ "$skip" = False ] && echo pass || echo fail)" >output/result.txt
for test in $tests; do
	echo "$test pass 1.5 s" >>output/result.txt
done
exit 1
