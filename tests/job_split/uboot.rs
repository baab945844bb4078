//! What U-Boot is told of addresses, and the headers and device trees that its files get.

use crate::methods::{JOB, TIME};
use crate::splitting::{device, file, roles, split};
use pumice_tests::data;
use serde_json::{Value, json};

/// The dictionary of a BeagleBone as LAVA renders it, with another text in place of the first.
fn beaglebone(old: &str, new: &str) -> String {
    let text = std::fs::read_to_string(data("devices/beaglebone-black.yaml")).expect("the dictionary is there");
    assert!(text.contains(old), "{old}");
    text.replace("devicetype: beaglebone-black", "devicetype: board").replace(old, new)
}

fn uboot(job: &str, board: &str) -> Value {
    let board = file(board);
    let block = format!(
        "{{method: u-boot, commands: [\"tftp {{KERNEL_ADDR}} {{KERNEL}}\", \"tftp {{RAMDISK_ADDR}} x\", \
                         \"tftp {{TEE_ADDR}} {{TEE}}\", \"{{BOOTX}}\"], {TIME}}}"
    );
    roles(&split(&["--device", &device(&board)], &job.replace("{}", &block)))[0].clone()
}

/// The typed lines, and the headers of kernel and ramdisk.
fn typed(role: &Value) -> (Vec<&str>, [Option<&Value>; 2]) {
    let dialogue = role["actions"][1]["dialogue"].as_array().expect("a list");
    let commands = dialogue.iter().find(|step| step["step"] == "commands").expect("the commands");
    let lines = commands["lines"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    let resources = role["actions"][0]["resources"].as_array().expect("a list");
    let header = |name| resources.iter().find(|resource| resource["name"] == name).and_then(|r| r.get("uimage"));
    (lines, [header("kernel"), header("ramdisk")])
}

#[test]
fn uboot_is_told_the_addresses_of_the_kernels_kind() {
    let arm = json!({"arch": "arm"});
    let fetch = ["tftp 0x82000000 {KERNEL}", "tftp 0x83000000 x"];
    let role = uboot(JOB, &beaglebone("x", "x"));
    let lines = [fetch.as_slice(), &["bootz 0x82000000 0x83000000 0x88000000"]].concat();
    assert_eq!(typed(&role), (lines, [None, Some(&arm)]));
    let interrupt = &role["actions"][1]["dialogue"];
    assert_eq!(interrupt[1]["patterns"], json!(["Hit any key to stop autoboot"]));
    assert_eq!((&interrupt[2]["text"], &interrupt[2]["newline"]), (&json!(""), &json!(true)));
    assert_eq!(
        (&interrupt[3]["prompt"], &interrupt[3]["final_message"]),
        (&json!("U-Boot"), &json!("Starting kernel"))
    );

    let raw = uboot(JOB, &beaglebone("add_header: u-boot", "add_header: raw"));
    let lines = [fetch.as_slice(), &["bootz 0x82000000 0x83000000:${initrd_size} 0x88000000"]].concat();
    assert_eq!(typed(&raw), (lines, [None, None]));

    let without = uboot(JOB, &beaglebone("add_header: u-boot", "add_header:"));
    let lines = vec!["tftp 0x82000000 {KERNEL}", "tftp - x", "bootz 0x82000000 - 0x88000000"];
    assert_eq!(typed(&without), (lines, [None, None]));
}

#[test]
fn a_kernel_that_the_board_cannot_start_as_it_is_gets_a_header() {
    let arm = json!({"arch": "arm"});
    let lines = vec!["tftp 0x82000000 {KERNEL}", "tftp 0x83000000 x", "bootm 0x82000000 0x83000000 0x88000000"];
    let header = json!({"arch": "arm", "load": 0x8200_0000u32, "entry": 0x8200_0000u32});
    let image = JOB.replace("type: zimage", "type: image");
    let board = beaglebone("x", "x");
    assert_eq!(typed(&uboot(&image, &board)), (lines.clone(), [Some(&header), Some(&arm)]));
    let uimage = JOB.replace("type: zimage", "type: uimage");
    assert_eq!(typed(&uboot(&uimage, &board)), (lines.clone(), [None, Some(&arm)]));
    let moved = beaglebone("  pass:\n", "  text_offset: '0x80008000'\n").replace("use_xip: false", "use_xip: true");
    let header = json!({"arch": "arm", "load": 0x8000_8000u32, "entry": 0x8000_8040u32});
    assert_eq!(typed(&uboot(&image, &moved)), (lines, [Some(&header), Some(&arm)]));
}

#[test]
fn what_is_missing_for_uboot_is_named() {
    let refused = |job: &str, board: &str| {
        let board = file(board);
        let job = job.replace("{}", &format!("{{method: u-boot, commands: nfs, {TIME}}}"));
        let outcome = split(&["--check", "--device", &device(&board)], &job);
        assert_eq!(outcome.status, 2, "{}", outcome.stderr);
        outcome.stderr.replace(&board.path().display().to_string(), "board.yaml")
    };
    let plain = beaglebone("x", "x");
    assert_eq!(
        refused(&JOB.replace(", type: zimage", ""), &plain),
        "job-split: stdin:11:36: the addresses in these commands need the kernel's 'type': image, uimage or zimage\n"
    );
    let far = beaglebone("kernel: '0x82000000'", "kernel: '0x4002000000'");
    let far = refused(&JOB.replace("type: zimage", "type: image"), &far);
    let text = "address '0x4002000000' does not fit into the header of a kernel for bootm: give 'text_offset'\n";
    assert!(far.starts_with("job-split: board.yaml:") && far.ends_with(text), "{far}");
    let unknown = refused(JOB, &beaglebone("add_header: u-boot", "add_header: uboot"));
    let text = "add_header 'uboot' is not one of u-boot, raw: did you mean 'u-boot'?\n";
    assert!(unknown.ends_with(text), "{unknown}");
}

#[test]
fn a_board_that_only_knows_bootm_gets_everything_with_headers() {
    let text = std::fs::read_to_string(data("devices/mustang-uboot.yaml")).expect("the dictionary is there");
    let board = file(&text.replace("devicetype: mustang", "devicetype: board"));
    let job = JOB.replace("{}", &format!("{{method: u-boot, commands: ramdisk, {TIME}}}"));
    let role = &roles(&split(&["--device", &device(&board)], &job))[0];
    let arguments = "setenv bootargs 'console=ttyS0,115200n8 root=/dev/ram0 earlycon=uart8250-32bit,0x1c020000 panic=1 \
                     debug ip=dhcp'";
    let lines = vec![
        "setenv autoload no",
        "dhcp",
        "setenv serverip {SERVER_IP}",
        "tftp 0x4002000000 {KERNEL}",
        "tftp 0x4004000000 {RAMDISK}",
        "setenv initrd_size ${filesize}",
        "tftp 0x4003000000 {DTB}",
        arguments,
        "bootm 0x4002000000 0x4004000000 0x4003000000",
    ];
    let kernel = json!({"arch": "arm", "load": 0x80000, "entry": 0x80000});
    assert_eq!(typed(role), (lines, [Some(&kernel), Some(&json!({"arch": "arm"}))]));
}

#[test]
fn a_device_tree_may_come_behind_its_kernel() {
    let appended = |job: &str, to: &str| uboot(job, &beaglebone("append_dtb: false", &format!("append_dtb: {to}")));
    let kernel = |role: &Value| {
        let resources = role["actions"][0]["resources"].as_array().expect("a list").clone();
        resources.into_iter().find(|resource| resource["name"] == "kernel").expect("a kernel")
    };
    assert_eq!(kernel(&appended(JOB, "true"))["append_dtb"], json!(true));
    assert_eq!(kernel(&appended(JOB, "false")).get("append_dtb"), None);
    let board = file(&beaglebone("append_dtb: false", "append_dtb: true"));
    let job = JOB.replace("    dtb: {url: 'http://files.example/board.dtb'}\n", "");
    let job = job.replace("{}", &format!("{{method: u-boot, commands: [boot], {TIME}}}"));
    let outcome = split(&["--check", "--device", &device(&board)], &job);
    assert_eq!(outcome.status, 2);
    assert!(
        outcome.stderr.ends_with("'append_dtb: true' needs a dtb, and the job deploys none\n"),
        "{}",
        outcome.stderr
    );
}
