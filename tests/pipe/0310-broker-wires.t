#!/bin/sh
# mn-broker spoken to by hand: its protocol and LAVA's wire through socat, by who may come in and who may not.
set -eu

if test "${1-}" != --inside
then
	for tool in unshare ip socat
	do
		command -v "$tool" >/dev/null 2>&1 || { printf '1..0 # SKIP no %s\n' "$tool"; exit 0; }
	done
	# An ordinary user becomes the root of the namespace; but then there is no other user in it.
	map=--map-root-user
	test "$(id -u)" -ne 0 || map=
	unshare ${map:+"$map"} --net true 2>/dev/null || { printf '1..0 # SKIP no namespaces\n'; exit 0; }
	exec unshare ${map:+"$map"} --net "$0" --inside "${map:-root}"
fi

. "$(dirname -- "$0")/lib.sh"
plan 10
socket=$scratch/broker.sock
cat >"$scratch/members" <<-'END'
	{"v":1,"type":"role","data":{"job_id":"1","group":{"name":"g","size":2,"members":[{"job_id":"1","role":"a"},{"job_id":"2","role":"b"}]}}}
	{"v":1,"type":"end","data":{"status":0}}
END
ip link set lo up
for address in 10.77.8.1 10.77.8.2 10.77.9.1
do
	ip address add "$address/32" dev lo
done
mkfifo "$scratch/ready"
mn-broker serve --socket "$socket" --members "$scratch/members" --lava-listen 0.0.0.0:3079 --lava-allow 10.77.8.0/30 \
	-v --ready-fd 3 3>"$scratch/ready" 2>"$scratch/broker.log" &
broker=$!
read -r _ <"$scratch/ready"
trap 'kill "$broker" 2>/dev/null || :; rm -rf "$scratch"' EXIT

# hand LINE...: what the broker says to somebody who types these lines, its greeting left out.
hand () {
	printf '%s\n' "$@" | socat -t 20 - "UNIX-CONNECT:$socket" | sed 1d
}

# lava FROM TO REQUEST: what is answered to a request on LAVA's wire, between these addresses.
lava () {
	printf '%08X%s' "${#3}" "$3" | socat -t 20 - "TCP:$2:3079,bind=$1" | cut -c 9-
}

# says EXPECTED COMMAND...: whether a command writes just this.
says () {
	expected=$1
	shift
	test "$("$@" | tee /dev/stderr)" = "$expected"
}

check 'a person joins, sends, waits and leaves' says \
	'{"id":0,"return":{}}
{"id":1,"return":{"member":"1","role":"a","session":"00112233445566778899aabbccddeeff","members":[{"job_id":"1","role":"a"},{"job_id":"2","role":"b"}]}}
{"id":2,"return":{}}
{"id":3,"return":{"messages":[{"from":"1","data":{"k":"v"}}]}}
{"id":4,"return":{}}' \
	hand '{"id":0,"call":"hello","args":{"session":"00112233445566778899aabbccddeeff"}}' \
	'{"id":1,"call":"join","args":{"member":"1"}}' \
	'{"id":2,"call":"send","args":{"message":"m","data":{"k":"v"}}}' \
	'{"id":3,"call":"wait","args":{"message":"m"}}' \
	'{"id":4,"call":"leave"}'
check 'and is told of a mistake' says \
	'{"id":1,"error":{"class":"bad-request","message":"ids that begin with '"'mn.'"' are reserved"}}' \
	hand '{"id":1,"call":"wait","args":{"message":"mn.x"}}'

wait='{"request":"lava_wait","messageID":"m","client_name":"2","group_name":"g","role":"b"}'
ack='{"response":"ack","message":{"1":{"k":"v"}}}'
check 'a job of LAVA comes from loopback' says "$ack" lava 127.0.0.1 127.0.0.1 "$wait"
check 'and from an address that is allowed' says "$ack" lava 10.77.8.2 10.77.8.1 "$wait"
check 'no other address is answered' says '' lava 10.77.9.1 10.77.8.1 "$wait"
send='{"request":"lava_send","messageID":"evil","client_name":"2","group_name":"g","role":"b"}'
check 'nor is anything done for it' says '' lava 10.77.9.1 10.77.8.1 "$send"
check 'so that nobody has heard of it' \
	sh -c "mn-broker --socket '$socket' --member 2 wait evil --timeout 0.1; test \$? -eq 1"
check 'it is noted who it was' \
	grep -x 'mn-broker: refused a connection of 10.77.9.1' "$scratch/broker.log"

# The socket's mode keeps other users out; without it their credentials do.
if test "$2" = root
then
	chmod 755 "$scratch"
	chmod 666 "$socket"
	check 'another user is not even greeted' says '' \
		setpriv --reuid 65534 --clear-groups socat -t 20 - "UNIX-CONNECT:$socket"
	check 'which is noted too' \
		grep -x 'mn-broker: refused a connection of another user' "$scratch/broker.log"
else
	skip 2 'no other user in this namespace'
fi
! failed || show "$scratch/broker.log"
