#!/bin/sh
# address.sh INTERFACE: status 1 without an argument, 3 without such an interface.
[ $# -eq 1 ] || exit 1
[ "$1" = lo ] || exit 3
