//! What is laid where.

use crate::archives::{self, Tar, cpio_members, gzip};
use crate::http::{Answer, Http};
use crate::stage::{
    Lab, assert_refused, in_namespace, is_real_root, is_there, resource, staged_root, whole_job, whole_resources,
};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::path::Path;
use tar::EntryType;

/// Stages one root and gives it to `look`.
fn with_root(root: Vec<u8>, look: impl FnOnce(&Path)) {
    let http = Http::serve(&[("/root.tar", Answer::File(root))]);
    let lab = Lab::new();
    let mut stage = lab.start(&lab.message(&[resource("nfsrootfs", &http.url("/root.tar"))]));
    stage.staged();
    look(&staged_root(&lab));
    assert_eq!(stage.end(), (0, String::new()));
    lab.assert_released();
}

/// Stages one root that is refused with this reason, after `cannot unpack 'URL': `.
fn refuse_root(root: Vec<u8>, status: i32, reason: &str) {
    let http = Http::serve(&[("/root.tar", Answer::File(root))]);
    let lab = Lab::new();
    let url = http.url("/root.tar");
    let message = lab.message(&[resource("nfsrootfs", &url)]);
    assert_refused(&lab, &message, status, &format!("cannot unpack '{url}': {reason}"));
}

#[test]
fn modules_follow_the_roots_links_and_the_overlay_comes_last() {
    in_namespace("staging::modules_follow_the_roots_links_and_the_overlay_comes_last", || {
        let (lab, http) = (Lab::new(), whole_job());
        let mut stage = lab.start(&lab.message(&whole_resources(&http)));
        stage.staged();
        let root = staged_root(&lab);
        assert_eq!(fs::read_link(root.join("lib")).unwrap(), Path::new("usr/lib"));
        assert_eq!(fs::read(root.join("usr/lib/modules/6.1/x.ko")).unwrap(), b"module");
        assert_eq!(fs::metadata(root.join("lava-74588/run")).unwrap().mode() & 0o7777, 0o755);
        assert_eq!(fs::read(lab.path("74588/tftp/74588/kernel/vmlinuz")).unwrap(), b"a kernel");
    });
}

#[test]
fn modules_are_appended_to_a_ramdisk_that_stays_as_it_is() {
    in_namespace("staging::modules_are_appended_to_a_ramdisk_that_stays_as_it_is", || {
        let (lab, http) = (Lab::new(), whole_job());
        let mut stage = lab.start(&lab.message(&whole_resources(&http)));
        stage.staged();
        let original = archives::ramdisk();
        let staged = fs::read(lab.path("74588/tftp/74588/ramdisk/initrd.img")).unwrap();
        assert_eq!(staged[..original.len()], original);
        let appended = &staged[original.len().next_multiple_of(512)..];
        let mut unpacked = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(appended), &mut unpacked).unwrap();
        let members = cpio_members(&unpacked);
        // No member "lib": it would replace the ramdisk's link.
        let names: Vec<_> = members.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["usr/lib/modules", "usr/lib/modules/6.1", "usr/lib/modules/6.1/x.ko"]);
        assert_eq!(members[2].1, b"module");
    });
}

#[test]
fn a_resource_may_refuse_modules_and_overlay() {
    in_namespace("staging::a_resource_may_refuse_modules_and_overlay", || {
        let (lab, http) = (Lab::new(), whole_job());
        let mut resources = whole_resources(&http);
        resources[0]["install_modules"] = false.into();
        resources[2]["install_modules"] = false.into();
        resources[2]["install_overlay"] = false.into();
        let mut stage = lab.start(&lab.message(&resources));
        stage.staged();
        assert!(!is_there(&staged_root(&lab).join("usr/lib/modules")));
        assert!(!is_there(&staged_root(&lab).join("lava-74588")));
        assert_eq!(fs::read(lab.path("74588/tftp/74588/ramdisk/initrd.img")).unwrap(), archives::ramdisk());
    });
}

#[test]
fn without_a_root_the_overlay_goes_into_the_ramdisk() {
    in_namespace("staging::without_a_root_the_overlay_goes_into_the_ramdisk", || {
        let (lab, http) = (Lab::new(), whole_job());
        let mut message = lab.message(&whole_resources(&http)[..2]);
        message["data"]["actions"][0].as_object_mut().unwrap().remove("authorize");
        let mut stage = lab.start(&message);
        assert_eq!(stage.staged()["staged"]["NFSROOTFS"], Value::Null);
        let staged = fs::read(lab.path("74588/tftp/74588/ramdisk/initrd.img")).unwrap();
        let mut unpacked = Vec::new();
        let appended = &staged[archives::ramdisk().len().next_multiple_of(512)..];
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(appended), &mut unpacked).unwrap();
        let names: Vec<_> = cpio_members(&unpacked).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["lava-74588", "lava-74588/run"]);
    });
}

#[test]
fn a_prefix_is_where_everything_goes() {
    in_namespace("staging::a_prefix_is_where_everything_goes", || {
        let root = Tar::new().directory("images/").directory("images/one/").file("images/one/marker", b"");
        let http = Http::serve(&[("/root.tar", Answer::File(root.plain()))]);
        let lab = Lab::new();
        let root = json!({ "name": "nfsrootfs", "url": http.url("/root.tar"), "prefix": "images/one/" });
        let mut stage = lab.start(&lab.message(&[root]));
        let path = staged_root(&lab).join("images/one");
        assert_eq!(stage.staged()["staged"]["NFSROOTFS"], path.to_str().unwrap());
        assert!(is_there(&path.join("lava-74588/run")));
        assert!(is_there(&path.join("root/.ssh/authorized_keys")));
        drop(stage);
        let lab = Lab::new();
        let root = json!({ "name": "nfsrootfs", "url": http.url("/root.tar"), "prefix": "images/two/" });
        let reason = "cannot use prefix 'images/two' of the root: No such file or directory";
        assert_refused(&lab, &lab.message(&[root]), 2, reason);
    });
}

#[test]
fn a_kernel_that_is_compressed_is_staged_unpacked() {
    in_namespace("staging::a_kernel_that_is_compressed_is_staged_unpacked", || {
        let http = Http::serve(&[
            ("/vmlinuz.gz", Answer::File(gzip(b"a kernel"))),
            ("/root.tar", Answer::File(archives::root().plain())),
        ]);
        let lab = Lab::new();
        let kernel = json!({ "name": "kernel", "url": http.url("/vmlinuz.gz"), "compression": "gz" });
        let mut stage = lab.start(&lab.message(&[kernel, resource("nfsrootfs", &http.url("/root.tar"))]));
        assert_eq!(stage.staged()["staged"]["KERNEL"], "74588/kernel/vmlinuz");
        assert_eq!(fs::read(lab.path("74588/tftp/74588/kernel/vmlinuz")).unwrap(), b"a kernel");
    });
}

#[test]
fn the_groups_key_is_let_in_beside_those_that_are_there() {
    in_namespace("staging::the_groups_key_is_let_in_beside_those_that_are_there", || {
        let root = archives::root().directory("root/.ssh/").file("root/.ssh/authorized_keys", b"ssh-rsa AAAAB3 theirs");
        with_root(root.plain(), |root| {
            let keys = root.join("root/.ssh/authorized_keys");
            let text = fs::read_to_string(&keys).unwrap();
            assert_eq!(text, "ssh-rsa AAAAB3 theirs\nssh-ed25519 AAAAC3Nzgroup group\n");
            let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
            assert_eq!((mode(&keys), mode(&root.join("root/.ssh")), mode(&root.join("root"))), (0o600, 0o700, 0o700));
            assert_eq!(fs::metadata(&keys).unwrap().uid(), 0);
        });
    });
}

#[test]
fn the_key_never_leaves_the_root_by_a_link() {
    in_namespace("staging::the_key_never_leaves_the_root_by_a_link", || {
        let outside = tempfile::tempdir().unwrap();
        let target = outside.path().join("authorized_keys");
        let root =
            archives::root().directory("root/.ssh/").symlink("root/.ssh/authorized_keys", target.to_str().unwrap());
        let http = Http::serve(&[("/root.tar", Answer::File(root.plain()))]);
        let lab = Lab::new();
        let outcome = lab.run(&lab.message(&[resource("nfsrootfs", &http.url("/root.tar"))]));
        assert_eq!(outcome.status, 3);
        let reason = "cannot write 'root/.ssh/authorized_keys' in the root: No such file or directory\n";
        assert_eq!(outcome.stderr, format!("tftp-stage: {reason}"));
        assert!(!is_there(&target));
        lab.assert_released();
    });
}

#[test]
fn a_root_without_host_key_gets_one_that_the_guests_know() {
    in_namespace("staging::a_root_without_host_key_gets_one_that_the_guests_know", || {
        let (lab, http) = (Lab::new(), whole_job());
        let mut stage = lab.start(&lab.message(&whole_resources(&http)));
        stage.staged();
        let private = staged_root(&lab).join("etc/ssh/ssh_host_ed25519_key");
        let public = fs::read_to_string(private.with_extension("pub")).unwrap();
        assert_eq!(lab.read("known_hosts"), format!("74588 {}\n", public.trim()));
        assert_eq!(fs::metadata(&private).unwrap().mode() & 0o7777, 0o600);
        // The pair belongs together.
        let derived = std::process::Command::new("ssh-keygen").arg("-y").arg("-f").arg(&private).output().unwrap();
        assert_eq!(String::from_utf8(derived.stdout).unwrap().trim(), public.trim());
    });
}

#[test]
fn the_images_own_host_key_is_used() {
    in_namespace("staging::the_images_own_host_key_is_used", || {
        let key = b"ssh-ed25519 AAAAC3NzaC1image root@image\n";
        let root = archives::root().directory("etc/ssh/").file("etc/ssh/ssh_host_ed25519_key.pub", key);
        let http = Http::serve(&[("/root.tar", Answer::File(root.plain()))]);
        let lab = Lab::new();
        let mut stage = lab.start(&lab.message(&[resource("nfsrootfs", &http.url("/root.tar"))]));
        stage.staged();
        assert_eq!(lab.read("known_hosts"), "74588 ssh-ed25519 AAAAC3NzaC1image\n");
        assert!(!is_there(&staged_root(&lab).join("etc/ssh/ssh_host_ed25519_key")));
    });
}

#[test]
fn without_authorize_no_key_is_touched() {
    in_namespace("staging::without_authorize_no_key_is_touched", || {
        let (lab, http) = (Lab::new(), whole_job());
        let mut message = lab.message(&whole_resources(&http));
        message["data"]["actions"][0].as_object_mut().unwrap().remove("authorize");
        let mut stage = lab.start(&message);
        stage.staged();
        assert!(!is_there(&staged_root(&lab).join("root/.ssh")));
        assert!(!is_there(&staged_root(&lab).join("etc/ssh")));
        assert!(!is_there(&lab.path("known_hosts")));
    });
}

#[test]
fn a_private_key_is_never_authorized() {
    in_namespace("staging::a_private_key_is_never_authorized", || {
        let (lab, http) = (Lab::new(), whole_job());
        let key = lab.path("keys/id_ed25519.pub");
        fs::write(&key, "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbg==\n").unwrap();
        let reason = format!("cannot authorize the key in '{}': it holds no public key", key.display());
        assert_refused(&lab, &lab.message(&whole_resources(&http)), 2, &reason);
    });
}

#[test]
fn modes_times_links_and_fifos_are_kept() {
    in_namespace("staging::modes_times_links_and_fifos_are_kept", || {
        let root = Tar::new()
            .directory("bin/")
            .entry("bin/su", EntryType::Regular, 0o4755, "", b"su")
            .entry("bin/sudo", EntryType::Link, 0, "bin/su", b"")
            .entry("tmp/", EntryType::Directory, 0o1777, "", b"")
            .entry("tmp/pipe", EntryType::Fifo, 0o600, "", b"")
            .symlink("nowhere", "/no/such/file");
        with_root(root.plain(), |root| {
            let metadata = |name: &str| fs::symlink_metadata(root.join(name)).unwrap();
            assert_eq!(metadata("bin/su").mode() & 0o7777, 0o4755);
            assert_eq!((metadata("bin/su").ino(), metadata("bin/su").nlink()), (metadata("bin/sudo").ino(), 2));
            assert_eq!(metadata("tmp").mode() & 0o7777, 0o1777);
            assert!(metadata("tmp/pipe").file_type().is_fifo());
            assert_eq!(fs::read_link(root.join("nowhere")).unwrap(), Path::new("/no/such/file"));
            for name in ["bin", "bin/su", "tmp/pipe", "nowhere"] {
                assert_eq!(metadata(name).mtime(), 1_000_000_000, "{name}");
            }
        });
    });
}

#[test]
fn a_file_of_zeros_takes_no_room() {
    in_namespace("staging::a_file_of_zeros_takes_no_room", || {
        let mut data = vec![0; 4 << 20];
        data[2 << 20] = 1;
        with_root(Tar::new().file("image", &data).file("zeros", &vec![0; 1 << 20]).plain(), |root| {
            assert_eq!(fs::read(root.join("image")).unwrap(), data);
            assert!(fs::metadata(root.join("image")).unwrap().blocks() * 512 < 1 << 20);
            assert_eq!(fs::metadata(root.join("zeros")).unwrap().len(), 1 << 20);
        });
    });
}

#[test]
fn owners_and_devices_are_kept_or_the_mend_is_named() {
    in_namespace("staging::owners_and_devices_are_kept_or_the_mend_is_named", || {
        let owned = || Tar::new().owned("home", 0o6750, 1000, 100).plain();
        let device = || Tar::new().device("null", EntryType::Char, 1, 3).plain();
        if is_real_root() {
            with_root(owned(), |root| {
                let metadata = fs::metadata(root.join("home")).unwrap();
                assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o7777), (1000, 100, 0o6750));
            });
            with_root(device(), |root| {
                let metadata = fs::metadata(root.join("null")).unwrap();
                assert!(metadata.file_type().is_char_device());
                assert_eq!(metadata.rdev(), 0x103);
            });
        } else {
            let mend = "this takes root, or a user namespace that has these owners and no devices";
            refuse_root(owned(), 3, &format!("entry 'home': cannot set owner and mode: Invalid argument: {mend}"));
            refuse_root(device(), 3, &format!("entry 'null': cannot make it: Operation not permitted: {mend}"));
        }
    });
}

#[test]
fn what_cannot_be_kept_is_refused_by_name() {
    in_namespace("staging::what_cannot_be_kept_is_refused_by_name", || {
        let regular = |path: &str| Tar::new().entry(path, EntryType::Regular, 0o644, "", b"x").plain();
        refuse_root(regular("../evil"), 2, "entry '../evil' goes up with '..'");
        refuse_root(regular("a/../../evil"), 2, "entry 'a/../../evil' goes up with '..'");
        let link = Tar::new().entry("evil", EntryType::Link, 0, "../../etc/passwd", b"").plain();
        refuse_root(link, 2, "entry 'evil' links to a path with '..'");
        let sparse = Tar::new().pax("GNU.sparse.major", "1").file("sparse", b"map").plain();
        refuse_root(sparse, 2, "entry 'sparse' is a sparse file in PAX format, which this version does not support");
        let volume = Tar::new().entry("label", EntryType::new(b'V'), 0, "", b"").plain();
        refuse_root(volume, 2, "entry 'label' is of type 'V', which cannot be kept");
    });
}

#[test]
fn a_link_out_of_the_root_leads_nowhere() {
    in_namespace("staging::a_link_out_of_the_root_leads_nowhere", || {
        let outside = tempfile::tempdir().unwrap();
        let root = Tar::new().symlink("way", outside.path().to_str().unwrap()).file("way/evil", b"x").plain();
        refuse_root(root, 3, "entry 'way/evil': cannot reach its directory: File exists");
        assert!(!is_there(&outside.path().join("evil")));
        // A hard link to a file outside has none inside to be a link to.
        let root = Tar::new().entry("passwd", EntryType::Link, 0, "/etc/passwd", b"").plain();
        refuse_root(root, 3, "entry 'passwd': cannot make the hard link: No such file or directory");
    });
}

#[test]
fn a_directory_stays_a_link_and_a_file_replaces_one() {
    in_namespace("staging::a_directory_stays_a_link_and_a_file_replaces_one", || {
        let root = Tar::new()
            .directory("usr/lib/")
            .symlink("lib", "/usr/lib")
            .directory("lib/")
            .file("lib/file", b"1")
            .file("target", b"kept")
            .symlink("name", "target")
            .file("name", b"new");
        with_root(root.plain(), |root| {
            assert_eq!(fs::read(root.join("usr/lib/file")).unwrap(), b"1");
            assert_eq!(fs::read(root.join("target")).unwrap(), b"kept");
            assert_eq!(fs::read(root.join("name")).unwrap(), b"new");
            assert!(!fs::symlink_metadata(root.join("name")).unwrap().is_symlink());
        });
    });
}

#[test]
fn a_broken_archive_is_the_jobs_fault() {
    in_namespace("staging::a_broken_archive_is_the_jobs_fault", || {
        let data: Vec<u8> = (0..100_000_u32).flat_map(u32::to_be_bytes).collect();
        let whole = archives::root().file("data", &data).gzip();
        let cut = whole[..whole.len() - 1000].to_vec();
        let http = Http::serve(&[("/root.tar.gz", Answer::File(cut)), ("/empty.tar", Answer::File(vec![0; 1024]))]);
        let lab = Lab::new();
        let outcome = lab.run(&lab.message(&[resource("nfsrootfs", &http.url("/root.tar.gz"))]));
        let url = http.url("/root.tar.gz");
        assert!(outcome.stderr.starts_with(&format!("tftp-stage: cannot unpack '{url}': ")), "{}", outcome.stderr);
        assert_eq!(outcome.status, 2);
        lab.assert_released();
        let plain = archives::root().file("data", &data).plain();
        refuse_root(plain[..plain.len() - 4096].to_vec(), 2, "entry 'data' has 397312 of 400000 bytes");
        refuse_root(vec![0; 1024], 2, "it holds nothing");
    });
}

#[test]
fn a_compression_that_is_not_there_or_not_supported_is_refused() {
    in_namespace("staging::a_compression_that_is_not_there_or_not_supported_is_refused", || {
        let http = Http::serve(&[
            ("/plain.tar", Answer::File(archives::root().plain())),
            ("/root.tar.xz", Answer::File(b"\xfd7zXZ\0\0\0".to_vec())),
            ("/initrd.xz", Answer::File(b"\xfd7zXZ\0\0\0".to_vec())),
            ("/modules.tar", Answer::File(archives::modules().plain())),
        ]);
        let lab = Lab::new();
        let url = http.url("/plain.tar");
        let plain = json!({ "name": "nfsrootfs", "url": url, "compression": "gz" });
        assert_refused(&lab, &lab.message(&[plain]), 2, &format!("cannot unpack '{url}': not in gzip format"));
        let url = http.url("/root.tar.xz");
        let reason = format!("cannot unpack '{url}': this version does not support xz");
        assert_refused(&lab, &lab.message(&[resource("nfsrootfs", &url)]), 2, &reason);
        let reason = format!("cannot unpack '{url}': this version does not support compression 'xz'");
        let declared = json!({ "name": "nfsrootfs", "url": url, "compression": "xz" });
        assert_refused(&lab, &lab.message(&[declared]), 2, &reason);
        let url = http.url("/initrd.xz");
        let resources = [
            resource("ramdisk", &url),
            resource("nfsrootfs", &http.url("/plain.tar")),
            resource("modules", &http.url("/modules.tar")),
        ];
        let reason = format!("cannot read ramdisk '{url}': neither cpio nor gzip, which is all this version supports");
        assert_refused(&lab, &lab.message(&resources), 2, &reason);
    });
}

#[test]
fn what_the_root_brings_along_cannot_stop_the_release() {
    in_namespace("staging::what_the_root_brings_along_cannot_stop_the_release", || {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("precious"), "").unwrap();
        let root = Tar::new()
            .entry("locked/", EntryType::Directory, 0, "", b"")
            .entry("locked/file", EntryType::Regular, 0, "", b"x")
            .symlink("away", outside.path().to_str().unwrap());
        with_root(root.plain(), |root| {
            // As a board might.
            symlink("/", root.join("locked/all")).unwrap();
        });
        assert!(is_there(&outside.path().join("precious")));
    });
}

/// A kernel, a device tree and a root.
fn small_job() -> (Http, [Value; 3]) {
    let http = Http::serve(&[
        ("/vmlinuz", Answer::File(b"a kernel".to_vec())),
        ("/board.dtb", Answer::File(b"a tree".to_vec())),
        ("/root.tar", Answer::File(archives::root().plain())),
    ]);
    let resources = [
        resource("kernel", &http.url("/vmlinuz")),
        resource("dtb", &http.url("/board.dtb")),
        resource("nfsrootfs", &http.url("/root.tar")),
    ];
    (http, resources)
}

#[test]
fn a_device_tree_comes_behind_its_kernel_and_before_it_the_header() {
    in_namespace("staging::a_device_tree_comes_behind_its_kernel_and_before_it_the_header", || {
        let (_http, mut resources) = small_job();
        resources[0]["append_dtb"] = true.into();
        let plain = Lab::new();
        let mut stage = plain.start(&plain.message(&resources));
        assert_eq!(stage.staged()["staged"]["KERNEL"], "74588/kernel/kernel-dtb");
        assert_eq!(fs::read(plain.path("74588/tftp/74588/kernel/kernel-dtb")).unwrap(), b"a kernela tree");
        resources[0]["uimage"] = json!({"arch": "arm", "load": 1, "entry": 1});
        let lab = Lab::new();
        let mut stage = lab.start(&lab.message(&resources));
        assert_eq!(stage.staged()["staged"]["KERNEL"], "74588/kernel/uImage");
        let image = fs::read(lab.path("74588/tftp/74588/kernel/uImage")).unwrap();
        // Its header has the size of both.
        assert_eq!((&image[12..16], &image[64..]), (&14_u32.to_be_bytes()[..], &b"a kernela tree"[..]));
        let alone = Lab::new();
        let message = alone.message(&resources[..1]);
        assert_refused(&alone, &message, 2, "cannot put a dtb behind the kernel: the job has none");
    });
}

#[test]
fn a_script_for_ipxe_lies_beside_the_files() {
    in_namespace("staging::a_script_for_ipxe_lies_beside_the_files", || {
        let (_http, resources) = small_job();
        let lab = Lab::new();
        let mut message = lab.message(&resources);
        let lines = ["kernel tftp://{SERVER_IP}/{KERNEL} ${args}", "initrd tftp://{SERVER_IP}/{RAMDISK}", "boot"];
        message["data"]["actions"][1]["bootscript"] = json!(lines);
        let mut stage = lab.start(&message);
        assert_eq!(stage.staged()["staged"]["BOOTSCRIPT"], "74588/script.ipxe");
        let script = "#!ipxe\n\nkernel tftp://127.0.0.1/74588/kernel/vmlinuz ${args}\nboot\n";
        assert_eq!(fs::read_to_string(lab.path("74588/tftp/74588/script.ipxe")).unwrap(), script);
    });
}
