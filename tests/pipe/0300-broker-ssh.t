#!/bin/sh
# Two dispatchers, each in a network namespace of its own, with ssh between them. The link is cut for ten seconds
# in the midst of a sync, and nothing is lost.
set -eu

if test "${1-}" != --inside
then
	for tool in nsenter ip ssh ssh-keygen /usr/sbin/sshd
	do
		command -v "$tool" >/dev/null 2>&1 || { printf '1..0 # SKIP no %s\n' "$tool"; exit 0; }
	done
	# sshd takes on other users, and so an ordinary user needs subordinate ids.
	lab=$(dirname -- "$0")/../board/lab
	reason=$("$lab" --users true 2>&1) || { printf '1..0 # SKIP %s\n' "$reason" | head -n 1; exit 0; }
	exec "$lab" --users "$0" --inside
fi

. "$(dirname -- "$0")/lib.sh"
plan 8

shows () {
	mn-broker --socket "$1" status | grep -q "$2"
}

# This namespace is the dispatcher of the role b; the other one has the broker, and the role a.
near=$scratch/near far=$scratch/far
mkdir "$near" "$far"
unshare --net sleep 600 &
other=$!
apart () {
	test "$(readlink /proc/self/ns/net)" != "$(readlink "/proc/$other/ns/net")"
}
until_true apart
there () {
	nsenter --target "$other" --net -- "$@"
}
ip link set lo up
ip link add near0 type veth peer name far0
ip link set far0 netns "$other"
ip address add 10.77.9.1/24 dev near0
ip link set near0 up
there ip link set lo up
there ip address add 10.77.9.2/24 dev far0
there ip link set far0 up

# sshd needs accounts that are these namespaces' own, where the machine's belong to another root.
printf '%s\n' 'root::0:0:root:/:/bin/sh' 'sshd:x:100:65534::/run/sshd:/usr/sbin/nologin' >"$scratch/passwd"
printf '%s\n' 'root:*:::::::' 'sshd:*:::::::' >"$scratch/shadow"
for file in passwd shadow
do
	mount --bind "$scratch/$file" "/etc/$file"
done
mount -t tmpfs tmpfs /run
mkdir /run/sshd
ssh-keygen -q -t ed25519 -N '' -f "$scratch/host"
ssh-keygen -q -t ed25519 -N '' -f "$scratch/key"
printf '10.77.9.2 %s\n' "$(cut -d' ' -f1,2 "$scratch/host.pub")" >"$scratch/known_hosts"
cat >"$scratch/sshd_config" <<-END
	Port 22
	HostKey $scratch/host
	AuthorizedKeysFile $scratch/key.pub
	PidFile none
	StrictModes no
	UsePAM no
END
there /usr/sbin/sshd -D -e -f "$scratch/sshd_config" 2>"$scratch/sshd.log" &
until_true grep -q 'Server listening' "$scratch/sshd.log"

cat >"$far/members" <<-'END'
	{"v":1,"type":"role","data":{"job_id":"1","group":{"name":"g","size":2,"members":[{"job_id":"1","role":"a"},{"job_id":"2","role":"b"}]}}}
	{"v":1,"type":"end","data":{"status":0}}
END
there mn-broker serve --socket "$far/broker.sock" --members "$far/members" --journal "$far/journal" &
until_true test -S "$far/broker.sock"

mkfifo "$scratch/ready"
mn-broker --socket "$near/broker.sock" connect -o "IdentityFile=$scratch/key" \
	-o "UserKnownHostsFile=$scratch/known_hosts" --ready-fd 3 root@10.77.9.2 "$far/broker.sock" \
	3>"$scratch/ready" 2>"$scratch/connect.log" &
read -r _ <"$scratch/ready" || show "$scratch/connect.log" "$scratch/sshd.log"

check 'the socket of the other machine can be used here' mn-broker --socket "$near/broker.sock" status

mn-broker --socket "$near/broker.sock" --member 2 join &
joined=$!
until_true shows "$far/broker.sock" '^2 .* joined '
mn-broker --socket "$near/broker.sock" --member 2 sync s --timeout 60 &
sync=$!
check 'a role here waits in a sync there' until_true shows "$far/broker.sock" '^2 .* sync s '

ip link set near0 down
cut=$(date +%s)
check 'the sync is completed while the link is cut' \
	mn-broker --socket "$far/broker.sock" --member 1 sync s --timeout 5
check 'a message is sent while the link is cut' \
	mn-broker --socket "$far/broker.sock" --member 1 send m k=v
sleep $((cut + 10 - $(date +%s)))
ip link set near0 up

check 'the sync here ends when the link is back' wait "$sync"
check 'the message has come' sh -c \
	"test \"\$(mn-broker --socket '$near/broker.sock' --member 2 wait m)\" = 1:k=v"
check 'the member that was cut off is alive' shows "$near/broker.sock" '^2 .* joined '
kill "$joined"
wait "$joined" || :
check 'and leaves in order' until_true shows "$far/broker.sock" '^2 .* left '
! failed || show "$scratch/connect.log"
