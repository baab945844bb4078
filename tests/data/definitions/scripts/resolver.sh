#!/bin/sh
# resolver.sh INTERFACE - make /etc/resolv.conf of what the network boot left in /run
set -eu

lease=/run/net-${1:?}.conf
if [ -e /etc/resolv.conf ]; then
	echo "resolver.sh: there is an /etc/resolv.conf" >&2
	exit 1
fi

# shellcheck source=/dev/null
. "$lease"
{
	[ -z "${DNSDOMAIN-}" ] || printf 'search %s\n' "$DNSDOMAIN"
	printf 'nameserver %s\n' "$IPV4DNS0"
} >/etc/resolv.conf
