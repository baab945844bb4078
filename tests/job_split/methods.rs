//! Every boot method as a list of steps; the dictionaries are of the kind that LAVA's templates give.

use crate::splitting::{device, file, roles, split};
use serde_json::{Value, json};

/// A job for one board; `{}` stands for its boot block.
pub const JOB: &str = "job_name: one board
device_type: board
visibility: public
timeouts: {job: {minutes: 20}}
actions:
- deploy:
    to: tftp
    kernel: {url: 'http://files.example/zImage', type: zimage}
    ramdisk: {url: 'http://files.example/initrd.gz', compression: gz}
    dtb: {url: 'http://files.example/board.dtb'}
- boot: {}
- test: {definitions: [{from: git, repository: 'http://files.example/t.git', path: a.yaml, name: a}]}
";

/// A dictionary; `{}` stands for its constants and methods.
const BOARD: &str = "hostname: board-1
devicetype: board
commands: {connect: telnet lab 7001, hard_reset: pdu cycle 1, power_off: pdu off 1}
{}";

const WORDS: &str = "kernel-start-message: Linux version, shutdown-message: going down";

pub fn board(constants: &str, methods: &str) -> String {
    let rest = format!("constants: {{{WORDS}, {constants}}}\nactions: {{boot: {{methods: {{{methods}}}}}}}\n");
    BOARD.replace("{}", &rest)
}

pub fn boot(block: &str, board: &str) -> Value {
    let board = file(board);
    let role = &roles(&split(&["--device", &device(&board)], &JOB.replace("{}", block)))[0];
    assert_eq!(role.get("unsupported"), None);
    role["actions"][1].clone()
}

/// The steps without those that every boot ends with, which are looked at here; all have the time of the boot.
pub fn steps(block: &str, board: &str) -> Vec<Value> {
    let boot = boot(block, board);
    let mut steps = boot["dialogue"].as_array().expect("a list").clone();
    for step in &mut steps {
        assert_eq!(step["timeout"], 60, "{step}");
        step.as_object_mut().expect("an object").remove("timeout");
    }
    assert_eq!(steps.pop().expect("a step")["step"], "shell");
    assert_eq!(steps.pop().expect("a step")["step"], "login");
    let errors = steps.last().and_then(|step| step.get("errors")).cloned();
    let kernel = json!({"step": "kernel", "pattern": "Linux version", "name": "auto-login-action"});
    let mut last = steps.pop().expect("a step");
    last.as_object_mut().expect("an object").remove("errors");
    assert_eq!((last, errors.is_none_or(|errors| errors.is_array())), (kernel, true));
    steps
}

pub fn reset() -> Value {
    json!({"step": "power", "command": "hard_reset", "name": "reset-device"})
}

pub fn expect(pattern: &str, name: &str) -> Value {
    json!({"step": "expect", "patterns": [pattern], "name": name})
}

pub fn send(text: &str, newline: bool, name: &str) -> Value {
    json!({"step": "send", "text": text, "newline": newline, "name": name})
}

pub const TIME: &str = "prompts: ['#'], timeout: {minutes: 1}";

#[test]
fn grub_is_stopped_by_a_key_without_a_newline() {
    let board = board(
        "grub: {interrupt-prompt: for a command-line, interrupt-character: c, interrupt-newline: false}",
        "grub: {parameters: {bootloader_prompt: 'grub>'}, ramdisk: {commands: ['initrd {RAMDISK}', boot]}}",
    );
    let steps = steps(&format!("{{method: grub, commands: ramdisk, {TIME}}}"), &board);
    let interrupt = "bootloader-interrupt";
    let commands = json!({"step": "commands", "prompt": "grub>", "lines": ["initrd {RAMDISK}", "boot"],
        "character_delay": 0, "name": "bootloader-commands"});
    let expected = [reset(), expect("for a command-line", interrupt), send("c", false, interrupt), commands];
    assert_eq!(steps, expected);
}

#[test]
fn ipxe_is_stopped_by_a_control_key() {
    let board = board(
        "ipxe: {interrupt-prompt: Press Ctrl-B, interrupt_ctrl_list: [b], error-messages: [Connection timed out]}",
        "ipxe: {parameters: {bootloader_prompt: 'iPXE>'}, ramdisk: {commands: [dhcp net0, 'set mac {LAVA_MAC}', \
         'kernel tftp://{SERVER_IP}/{KERNEL}', 'initrd tftp://{SERVER_IP}/{RAMDISK}', boot]}}",
    );
    let steps = steps(&format!("{{method: ipxe, commands: ramdisk, {TIME}}}"), &board);
    let interrupt = "bootloader-interrupt";
    let lines = ["dhcp net0", "kernel tftp://{SERVER_IP}/{KERNEL}", "initrd tftp://{SERVER_IP}/{RAMDISK}", "boot"];
    let commands = json!({"step": "commands", "prompt": "iPXE>", "lines": lines, "character_delay": 0,
        "errors": ["Connection timed out"], "name": "bootloader-commands"});
    assert_eq!(steps, [reset(), expect("Press Ctrl-B", interrupt), send("\u{2}", false, interrupt), commands]);
}

#[test]
fn barebox_ends_with_its_last_words() {
    let board = board(
        r#"barebox: {interrupt-prompt: Hit m for menu, interrupt-character: "\n", final-message: Starting kernel,
           error-messages: ['ERROR: .*']}"#,
        "barebox: {parameters: {bootloader_prompt: barebox, interrupt_prompt: stop autoboot}, \
         ramdisk: {commands: ['bootm -r /mnt/tftp/{RAMDISK} /mnt/tftp/{KERNEL}']}}",
    );
    let steps = steps(&format!("{{method: barebox, commands: ramdisk, {TIME}}}"), &board);
    let interrupt = "bootloader-interrupt";
    let lines = ["bootm -r /mnt/tftp/{RAMDISK} /mnt/tftp/{KERNEL}"];
    let commands = json!({"step": "commands", "prompt": "barebox", "lines": lines, "character_delay": 0,
        "final_message": "Starting kernel", "errors": ["ERROR: .*"], "name": "bootloader-commands"});
    assert_eq!(steps, [reset(), expect("stop autoboot", interrupt), send("\n", true, interrupt), commands]);
}

#[test]
fn a_bootloader_that_waits_by_itself_is_not_stopped() {
    let board = board(
        "grub: {interrupt-prompt: x}",
        "grub: {parameters: {bootloader_prompt: 'grub>', needs_interrupt: false}, line_separator: dos}",
    );
    let steps = steps(&format!("{{method: grub, commands: [boot], reset: false, {TIME}}}"), &board);
    let commands = json!({"step": "commands", "prompt": "grub>", "lines": ["boot"], "character_delay": 0,
        "line_ending": "\r\n", "name": "bootloader-commands"});
    assert_eq!(steps, [commands]);
}

#[test]
fn a_board_that_boots_by_itself_is_only_reset() {
    let power = "pre_os_command: relay os, hard_reset";
    let board = board("x: y", "minimal: ").replace("hard_reset", power);
    assert_eq!(steps(&format!("{{method: minimal, {TIME}}}"), &board), [reset()]);
    let before = json!({"step": "power", "command": "pre_os_command", "name": "pre-os-command"});
    assert_eq!(steps(&format!("{{method: minimal, pre_os_command: true, {TIME}}}"), &board), [before, reset()]);
    assert_eq!(steps(&format!("{{method: minimal, reset: false, {TIME}}}"), &board), [] as [Value; 0]);
}

#[test]
fn a_board_without_a_reset_is_switched_or_told_to_restart() {
    let told = board("x: y", "minimal: ").replace("hard_reset: pdu cycle 1, ", "");
    let name = "send-reboot-commands";
    let down = expect("going down", name);
    let lines = ["reboot", "reboot -n", "reboot -nf"].map(|line| send(line, true, name));
    let minimal = format!("{{method: minimal, {TIME}}}");
    assert_eq!(steps(&minimal, &told), [lines.as_slice(), std::slice::from_ref(&down)].concat());
    let own = format!("{{method: minimal, soft_reboot: shutdown -r now, {TIME}}}");
    assert_eq!(steps(&own, &told), [send("shutdown -r now", true, name), down]);
    let switched = told.replace("power_off", "power_on: pdu on 1, power_off");
    let power = |command: &str| json!({"step": "power", "command": command, "name": "reset-device"});
    assert_eq!(steps(&minimal, &switched), [power("power_off"), power("power_on")]);
}

#[test]
fn attempts_share_the_time_of_a_boot() {
    let board = board("failure_retry: 1, boot_retry: 2", "minimal: ");
    let boot_of =
        |more: &str| boot(&format!("{{method: minimal, prompts: ['#'], timeout: {{minutes: 1}}{more}}}"), &board);
    let by_board = boot_of("");
    assert_eq!((&by_board["attempts"], by_board.get("interval")), (&json!(2), None));
    assert_eq!(by_board["dialogue"][0]["timeout"], 30);
    let named = boot_of(", failure_retry: 3, failure_retry_interval: 7, timeouts: {login-action: {seconds: 50}}");
    assert_eq!((&named["attempts"], &named["interval"], &named["timeout"]), (&json!(3), &json!(7), &json!(60)));
    let times: Vec<_> = named["dialogue"].as_array().expect("a list").iter().map(|step| &step["timeout"]).collect();
    assert_eq!(times, [20, 20, 50, 20]);
}

#[test]
fn a_boot_without_a_shell_ends_with_its_own_words() {
    let board = board("grub: {interrupt-prompt: x}", "grub: {parameters: {bootloader_prompt: 'grub>'}}");
    let job = "{method: grub, commands: [boot], boot_finished: [Power down, Restarting], failure_message: it failed}";
    let last = boot(job, &board)["dialogue"].as_array().expect("a list").last().cloned();
    let expected = json!({"step": "expect", "patterns": ["Power down", "Restarting"], "errors": ["it failed"],
        "name": "installer-wait", "timeout": 30});
    assert_eq!(last, Some(expected));
}

const IPXE: &str = "ipxe: {parameters: {bootloader_prompt: 'iPXE>', needs_interrupt: false}, \
                    ramdisk: {commands: ['kernel {KERNEL}', 'initrd {TEE}', boot]}}";

#[test]
fn commands_of_a_script_are_fetched_and_not_typed() {
    let board = board("x: y", IPXE);
    let boot = boot(&format!("{{method: ipxe, commands: ramdisk, use_bootscript: true, {TIME}}}"), &board);
    assert_eq!(boot["bootscript"], json!(["kernel {KERNEL}", "boot"]));
    let commands = &boot["dialogue"][1];
    assert_eq!(commands["lines"], json!(["dhcp net0", "chain tftp://{SERVER_IP}/{BOOTSCRIPT}"]));
    let job = JOB.replace("{}", &format!("{{method: grub, commands: [boot], use_bootscript: true, {TIME}}}"));
    let outcome = split(&["--check"], &job);
    let what = "'use_bootscript' makes a script for iPXE, and this boot is by 'grub': remove it";
    assert_eq!(outcome.status, 2);
    assert!(outcome.stderr.ends_with(&format!("job-split: stdin:11:58: {what}\n")), "{}", outcome.stderr);
}

#[test]
fn an_overlay_is_fetched_by_the_system_that_has_booted() {
    let board = board("x: y", "minimal: ");
    let transfer = "transfer_overlay: {download_command: cd /tmp; wget, unpack_command: tar -C / -xzf}";
    let boot =
        boot(&format!("{{method: minimal, prompts: ['a#', 'b#'], timeout: {{minutes: 1}}, {transfer}}}"), &board);
    assert_eq!(boot["transfer_overlay"], "http");
    let steps = boot["dialogue"].as_array().expect("a list");
    let name = "overlay-unpack";
    let lines = [
        "rm -rf {OVERLAY} {OVERLAY_DIRECTORY}",
        "cd /tmp; wget {OVERLAY_URL} && tar -C / -xzf {OVERLAY}; echo \"overlay-unpack: $?\"",
    ];
    let commands = json!({"step": "commands", "prompt": "(?:a#)|(?:b#)", "lines": lines, "character_delay": 0,
        "final_message": "overlay-unpack: 0", "errors": ["overlay-unpack: [1-9]"], "name": name, "timeout": 60});
    let mut empty = send("", true, name);
    empty["timeout"] = json!(60);
    assert_eq!(steps[steps.len() - 3]["step"], "shell");
    assert_eq!(steps[steps.len() - 2..], [empty, commands]);
}

#[test]
fn a_board_that_runs_already_is_asked_for_its_prompt() {
    let block = "method: minimal, reset: false, parameters: {kernel-start-message: ''}";
    let boot = boot(&format!("{{{block}, {TIME}}}"), &board("x: y", "minimal: "));
    let mut steps = boot["dialogue"].as_array().expect("a list").clone();
    let mut first = steps.remove(0);
    first.as_object_mut().expect("an object").remove("timeout");
    assert_eq!(first, send("", true, "login-action"));
    let works: Vec<_> = steps.iter().map(|step| &step["step"]).collect();
    assert_eq!(works, ["login", "shell"]);
}

#[test]
fn a_method_that_is_not_run_is_a_reason_not_to_run_the_role_and_no_more() {
    let board = file(&board("x: y", "qemu: {parameters: {command: qemu-system-aarch64}}"));
    let job = JOB.replace("{}", "{method: qemu, media: tmpfs, prompts: ['#']}");
    let deploy = "    to: tmpfs\n    images: {rootfs: {url: 'http://files.example/disk.gz', image_arg: x}}\n";
    let (start, end) = (job.find("    to: tftp").expect("a deploy"), job.find("- boot").expect("a boot"));
    let job = job.replace(&job[start..end], deploy);
    let outcome = split(&["--device", &device(&board)], &job);
    let what = "stdin:9:18: boot method 'qemu' is not supported by this version: give QEMU a dictionary as a board, with \
                its start as 'hard_reset' and its serial line as 'connect', and boot it by 'grub-efi', 'u-boot' or \
                'minimal'";
    assert_eq!((outcome.status, outcome.stderr), (0, format!("job-split: warning: {what}\n")));
    let message: Value = serde_json::from_str(outcome.stdout.lines().next().expect("a line")).expect("JSON");
    assert_eq!(message["data"]["unsupported"], json!([what]));
    assert_eq!(message["data"]["actions"][1]["block"]["media"], "tmpfs");
    let outcome =
        split(&["--check", "--device", &device(&board)], &job.replace("method: qemu, media: tmpfs", "method: minimal"));
    let what = "job-split: warning: stdin:6:3: deploy method 'tmpfs' for the role 'host' on a device is not supported";
    assert!(outcome.stderr.contains(what), "{}", outcome.stderr);
}
