#!/bin/sh
# Jobs for one board, booted by each method on the models of tests/board, down to a test that passes in their shell; and
# what each bootloader says where it gets no files.
set -u
# shellcheck source=lib.sh
. "$(dirname -- "$0")/lib.sh"
devices=$top/tests/data/devices
need lab true

# The small root of the boards as a ramdisk.
make_ramdisk () {
	board=$(build)
	mkdir "$scratch/root"
	tar -xzf "$board/amd64/nfsrootfs.tar.gz" -C "$scratch/root"
	ln -s sbin/init "$scratch/root/init"
	(cd "$scratch/root" && find . | cpio --quiet --create --format=newc --owner=0:0) | gzip -1 >"$scratch/rootfs.cpio.gz"
}

# job NAME TYPE KERNEL ROOT BOOT: writes a job for a board of TYPE, whose root is 'ramdisk', 'nfs', or on its 'disk'.
job () {
	files="to: tftp
    kernel: {url: 'http://127.0.0.1:8000/amd64/vmlinuz', type: $3}
    dtb: {url: 'file:///var/lib/lava/am335x-boneblack.dtb'}"
	case $4 in
	disk) root='' files='to: overlay' where='/disk / ' ;;
	ramdisk) root="ramdisk: {url: 'file://$scratch/rootfs.cpio.gz', compression: gz}" where=' / / .* - tmpfs ' ;;
	nfs)
		root="nfsrootfs: {url: 'http://127.0.0.1:8000/amd64/nfsrootfs.tar.gz', compression: gz}
    ramdisk: {url: 'http://127.0.0.1:8000/amd64/initrd.img', compression: gz}"
		where='/nfsrootfs / '
		;;
	esac
	cat >"$scratch/$1.yaml" <<END
job_name: one board by $1
device_type: $2
visibility: public
context: {boot_character_delay: 0}
timeouts: {job: {minutes: 5}, action: {minutes: 2}}
actions:
- deploy:
    $files
    $root
- boot:
    method: $5
    auto_login: {login_prompt: 'login:', username: root}
    prompts: ['root@mustang:']
- test:
    definitions:
    - from: inline
      name: booted
      path: inline/booted.yaml
      repository:
        metadata: {name: booted, format: Lava-Test Test Definition 1.0}
        run: {steps: ["lava-test-case root --shell grep -q '$where' /proc/self/mountinfo"]}
END
}

# boot NAME BOARD [VARIABLE...]: runs the job of this name; its status and its output are in the scratch directory.
boot () (
	name=$1 board=$2 status=0
	shift 2
	env PUMICE_JOB="$scratch/$name.yaml" "$@" timeout 120 "$top/tests/board/run-job" "$board" \
		--output "$scratch/$name" >"$scratch/$name.out" 2>"$scratch/$name.err" </dev/null || status=$?
	echo "$status" >"$scratch/$name.status"
)

typed () {
	grep -qF -- "$2" "$scratch/$1/1/console.log"
}

not_reset () {
	! grep -q 'running .hard_reset' "$scratch/$1/progress.jsonl"
}

not_skipped () {
	! grep 'LAVA_TEST_RUNNER SKIP' "$scratch/$1/1/console.log"
}

# booted NAME: the job has passed, and neither it nor its dictionary was worth a word.
booted () {
	cat "$scratch/$1.err"
	test "$(cat "$scratch/$1.status")" = 0 && test ! -s "$scratch/$1.err" &&
		grep -q '"definition":"0_booted","case":"root","result":"pass"' "$scratch/$1/results.jsonl"
}

# refused NAME WORDS: the lab has failed, and the bootloader's words are the reason.
refused () {
	cat "$scratch/$1.err"
	test "$(cat "$scratch/$1.status")" = 3 && grep -qF -- "$2" "$scratch/$1.err"
}

mkdir "$scratch/dictionaries"
# A board whose U-Boot takes a bare Image, and a ramdisk by its size.
sed -e 's/^  bootz:/  booti:/' -e 's/add_header: u-boot/add_header: raw/' "$devices/beaglebone-black.yaml" >"$scratch/dictionaries/booti.yaml"

by () {
	printf '%s\n    commands: %s' "$1" "$2"
}

job pxe-grub mustang zimage ramdisk "$(by grub-efi ramdisk)"
job local-grub mustang zimage nfs "$(by grub-efi nfs)"
job uefi-menu mustang-uefi image nfs "$(by uefi-menu nfs)"
job grub overdrive zimage ramdisk "$(by grub ramdisk)"
job bootz beaglebone-black zimage ramdisk "$(by u-boot ramdisk)"
job bootm beaglebone-black image ramdisk "$(by u-boot ramdisk)"
job booti beaglebone-black image ramdisk "$(by u-boot ramdisk)"
job barebox barebox zimage ramdisk "$(by barebox ramdisk)"
job ipxe x86 image ramdisk "$(by ipxe ramdisk)"
job script x86 image ramdisk "$(by ipxe ramdisk)
    use_bootscript: true"
fetch='transfer_overlay: {download_command: cd /tmp; wget, unpack_command: tar -C / -xzf}'
job minimal x86 - disk "minimal
    $fetch"
job running x86 - disk "minimal
    reset: false
    parameters: {kernel-start-message: ''}
    $fetch"
job no-transfer x86 - disk "minimal
    transfer_overlay: {download_command: cd /tmp; wget, unpack_command: tar -C /nowhere -xzf}"
for name in grub uefi-menu barebox ipxe
do
	cp "$scratch/$name.yaml" "$scratch/no-$name.yaml"
done

# Starts the others after the cache of the boards' files is there.
make_ramdisk
mkdir "$scratch/other"
cp -R "$scratch/root" "$scratch/other/disk"
mv "$scratch/root" "$scratch/disk"
# together COMMAND...: several boots at a time, each a line.
together () {
	for boot
	do
		# shellcheck disable=SC2086 # a command in words
		boot $boot &
	done
	wait
}

together 'pxe-grub model' 'uefi-menu uefi-menu' 'bootz uboot' 'barebox barebox' "minimal disk PUMICE_DISK=$scratch/disk"
together "local-grub model PUMICE_DICTIONARY=$devices/mustang-grub.yaml" 'grub grub' 'bootm uboot' 'ipxe ipxe' \
	"running disk PUMICE_DISK=$scratch/disk PUMICE_ON=yes"
together "booti uboot PUMICE_DICTIONARY=$scratch/dictionaries/booti.yaml" 'script ipxe' \
	"no-transfer disk PUMICE_DISK=$scratch/other/disk" 'no-grub grub PUMICE_FAULT=tftp-error'
together 'no-barebox barebox PUMICE_FAULT=tftp-error' 'no-ipxe ipxe PUMICE_FAULT=tftp-error' \
	'no-uefi-menu uefi-menu PUMICE_FAULT=tftp-error'

plan 21
check "the firmware's menu leads to GRUB on the network" booted pxe-grub
check "another entry of it to GRUB on the disk, by a dictionary as LAVA renders it" booted local-grub
check 'a kernel is described to the firmware, menu by menu' booted uefi-menu
check 'GRUB that nobody has to choose' booted grub
check 'U-Boot starts a zImage with a ramdisk that has a header' booted bootz
check 'U-Boot starts a uImage likewise' booted bootm
check 'U-Boot starts an Image with a ramdisk of a size' booted booti
check 'that size is what U-Boot has counted' typed booti 'booti 0x82000000 0x83000000:$''{initrd_size} 0x88000000'
check 'barebox' booted barebox
check 'iPXE' booted ipxe
check 'iPXE with its commands in a script' booted script
check 'only the lines that fetch it are typed' typed script 'chain tftp://10.77.0.1/1/script.ipxe'
check 'a board that boots from its disk and fetches the overlay' booted minimal
check 'a board that runs already' booted running
check 'nobody has reset that one' not_reset running
check 'and no result on its disk is taken for a new one' not_skipped running
check "GRUB's words end the wait" refused no-grub "the bootloader failed: 'error: timeout reading"
check "barebox's words do" refused no-barebox "the bootloader failed: 'ERROR: bootm: could not open"
check "iPXE's words do" refused no-ipxe 'Connection timed out'
check 'the words of the command that unpacks the overlay do' refused no-transfer 'the board could not fetch and unpack the overlay'
check "the firmware's words do" refused no-uefi-menu 'TFTP Error'
