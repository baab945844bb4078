#!/bin/sh
# pumice(7), "One step at a time": what it says to type is typed, and what it says is printed comes.
set -u
# shellcheck source=lib.sh
. "$(dirname -- "$0")/lib.sh"
cd "$top" || exit 1
hand=$scratch/hand

# The page's examples of that section, as a reader sees them.
examples () {
	sed -n '/^\.Ss One step at a time/,/^\.Ss Installing/p' man/pumice.7 |
		sed -n '/^\.Bd -literal/,/^\.Ed/p' | sed -e '/^\./d' -e 's/\\&//g' -e 's/\\e/\\/g'
}

# Takes them apart: a file for each terminal with what is typed there, and one with what is printed; in 'doors' what
# is typed outside. After its exit the other terminal goes on. The directory is one of the test's own. A server says
# when it can be used, since no time passes here until the next line is typed.
take_apart () {
	sed -e "s|/tmp/hand|$hand|g" -e "s|\"\$PWD/target/release:\$PATH\"|\"\$PATH\"|" \
		-e "s|\\( serve .*\\)&\$|\\1 --ready-fd 3 3>'$scratch/ready' \\& read -r _ <'$scratch/ready'|" -e 's| serve &$|&|' |
		awk -v "to=$scratch/" '
		sub(/^\$ /, "") { print >(to "doors"); next }
		/^[12]\$ / {
			terminal = substr($0, 1, 1)
			sub(/^..? /, "")
			print >(to "typed" terminal)
			if ($0 == "exit") terminal = 3 - terminal
			next
		}
		{ print >(to "printed" terminal) }'
}

# came PRINTED TRANSCRIPT: each line of the page came, in this order; '...' is anything.
came () {
	awk '
	NR == FNR {
		if ($0 == "...") next
		gsub(/[][\\.^$*+?(){}|]/, "\\\\&")
		gsub(/\\\.\\\.\\\./, ".*")
		wanted[++n] = "^" $0 "$"
		next
	}
	seen < n { sub(/\r$/, ""); if ($0 ~ wanted[seen + 1]) seen++ }
	END { if (seen < n) print "did not come: " wanted[seen + 1]; exit !n || seen < n }
	' "$1" "$2"
}

# The first terminal is a pipe, and so is the second one: there is nothing to make raw.
type_it () {
	first=$(sed -n 1p "$scratch/doors")
	second=$(sed -n 2p "$scratch/doors" | sed 's/-,raw,echo=0 \(.*\)/-,ignoreeof \1,retry=300,interval=0.1/')
	timeout 120 sh -c "$second" <"$scratch/typed2" >"$scratch/transcript2" 2>&1 &
	timeout 120 sh -c "$first" <"$scratch/typed1" >"$scratch/transcript1" 2>&1
	status=$?
	wait $!
}

need lab true
plan 5
mkfifo "$scratch/ready"
examples | take_apart
PS1='' PS2=''
export PS1 PS2
type_it
check 'the first terminal ends with 0' test "$status" -eq 0
check 'what the page says is printed in the first terminal' came "$scratch/printed1" "$scratch/transcript1"
check 'what the page says is printed in the second terminal' came "$scratch/printed2" "$scratch/transcript2"
check 'nothing is staged any more' test ! -e "$hand/2/tftp" -a ! -e "$hand/2/nfsrootfs"
check 'nothing is held any more' sh -c "cut -c 2- '$hand/2/held' | sed 's/ .*//' | sort | uniq -c | grep -v '^ *2 ' && exit 1; test -s '$hand/2/held'"
test "$status" -eq 0 || show "$scratch/transcript1" "$scratch/transcript2"
