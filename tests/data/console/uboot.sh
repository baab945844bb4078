#!/bin/sh
# A bootloader on a terminal, and an application that it starts. Its power is a FIFO.
# usage: uboot.sh DIR, where DIR/power is the FIFO
set -eu

dir=$1

# As a terminal does: echo, lines, carriage returns.
stty sane

read -r _ <"$dir/power"
printf 'U-Boot 2022.04\n\nHit any key to stop autoboot:  2 '
read -r _

while :; do
	printf '=> '
	read -r line
	case $line in
	'') ;;
	dhcp) printf 'BOOTP broadcast 1\nDHCP client bound to address 10.0.0.9 (250 ms)\n' ;;
	'ping '*) printf 'host %s is alive\n' "${line#ping }" ;;
	'setenv '*) printf '%s\n' "${line#setenv }" >>"$dir/environment" ;;
	'tftp '*) printf 'Retry count exceeded\nTIMEOUT\n' ;;
	hang) exec cat >/dev/null 2>&1 ;;
	die) exit ;;
	go)
		printf '*** BOOTING ZEPHYR ***\nPASS - ping in 1.5 ms\nFAIL - disk in 20 ms\n'
		printf 'PROJECT EXECUTION SUCCESSFUL\n'
		exec cat >/dev/null 2>&1
		;;
	*) printf "Unknown command '%s' - try 'help'\n" "$line" ;;
	esac
done
