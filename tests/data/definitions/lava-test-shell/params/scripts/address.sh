#!/bin/sh
# address.sh INTERFACE - report INTERFACE's IPv4 address as test cases
set -eu

address=$(lava-echo-ipv4 "$1")

result=fail
[ -z "$address" ] || result=pass
lava-test-case address-known --result "$result"

lava-test-case address-answers --shell ping -c 1 -W 2 "$address"
