#!/bin/sh
# A board on a terminal: firmware, GRUB, kernel, getty and a real shell. Its power is a FIFO.
# usage: board.sh DIR, where DIR/power is the FIFO; DIR/menu, DIR/grub, DIR/boot and DIR/login, where they
# are there, replace what the board prints at that point, and it says nothing more.
set -eu

dir=$1

# says NAME: print the replacement of a point and stay silent, if there is one.
says() {
	test -e "$dir/$1" || return 0
	cat "$dir/$1"
	exec cat >/dev/null 2>&1
}

# As a terminal does: echo, lines, carriage returns.
stty sane

read -r _ <"$dir/power"

printf 'UEFI firmware\n\n'
says menu
printf 'Press enter to boot, or c for a command-line\n'
read -r key
test "$key" = c

# GRUB takes the newline after the key for an empty command.
printf '\r\033[0mgrub> '
while :; do
	printf '\r\033[0mgrub> '
	says grub
	read -r line
	printf '%s\n' "$line" >>"$dir/grub-lines"
	test "$line" != boot || break
done

printf '[    0.000000] Linux version 6.1.0-test\n'
says boot
printf '[    1.000000] BUG: sleeping function called from invalid context\n'
printf 'board lo[    1.100000] usb 1-1: new device\nboard login: '
says login
read -r user
printf '%s\n' "$user" >"$dir/user"
printf '\nLast login: Sun Nov 22 on ttyS0\n'

PS1='root@board:~# '
export PS1
exec sh -i 2>&1
