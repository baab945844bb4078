//! `context`: variables for LAVA's device templates, and constants that a job sets itself.

use crate::findings::Findings;
use crate::read::mapping;
use crate::suggest::suggest;
use mn_msg::Object;
use mn_yaml::{Kind, Mapping, Node};
use serde_json::Value;

/// The keys LAVA allows; a site may add its own.
const KEYS: [&str; 45] = [
    "arch",
    "boot_character_delay",
    "boot_console",
    "boot_retry",
    "boot_root",
    "booti_dtb_addr",
    "booti_kernel_addr",
    "booti_ramdisk_addr",
    "bootloader_prompt",
    "bootm_dtb_addr",
    "bootm_kernel_addr",
    "bootm_ramdisk_addr",
    "bootz_dtb_addr",
    "bootz_kernel_addr",
    "bootz_ramdisk_addr",
    "console_device",
    "cpu",
    "custom_kernel_args",
    "deploy_character_delay",
    "extra_kernel_args",
    "extra_nfsroot_args",
    "extra_options",
    "failure_retry",
    "guestfs_driveid",
    "guestfs_interface",
    "guestfs_size",
    "kernel_loglevel",
    "kernel_start_message",
    "lava_test_results_dir",
    "machine",
    "memory",
    "menu_interrupt_prompt",
    "model",
    "monitor",
    "mustang_menu_list",
    "netdevice",
    "no_kvm",
    "no_network",
    "serial",
    "test_character_delay",
    "tftp_mac_address",
    "uboot_altbank",
    "uboot_extra_error_message",
    "uboot_needs_interrupt",
    "vga",
];

/// The constants among them, which hold over a dictionary's even when that was rendered without them.
pub const CONSTANTS: [&str; 6] = [
    "boot_character_delay",
    "boot_retry",
    "failure_retry",
    "kernel_start_message",
    "lava_test_results_dir",
    "test_character_delay",
];

/// Reads the `context` of a role or a job.
pub fn read(map: &Mapping, findings: &mut Findings) -> Option<Object> {
    let context = mapping(map, "context", findings)?;
    for entry in context.entries() {
        let key = entry.key.as_str();
        if !KEYS.contains(&key) {
            let text = format!("context has no variable '{key}' in LAVA{}", suggest(key, KEYS));
            findings.warn(entry.key_position, text);
        } else if !CONSTANTS.contains(&key) {
            let text = format!("context '{key}' is for a template: it holds if the dictionary was rendered with it");
            findings.note(entry.key_position, text);
        }
        if !is_value(&entry.value) {
            findings.error(entry.value.position(), format!("context '{key}' is no text, number or list of them"));
        }
    }
    Some(context.entries().iter().map(|entry| (entry.key.clone(), entry.value.value())).collect())
}

fn is_value(node: &Node) -> bool {
    match node.kind() {
        Kind::Scalar(_) => true,
        Kind::Sequence(items) => items.iter().all(|item| matches!(item.kind(), Kind::Scalar(_))),
        Kind::Mapping(_) => false,
    }
}

/// The text of a constant.
pub fn text(context: Option<&Object>, key: &str) -> Option<String> {
    context?.get(key)?.as_str().map(str::to_owned)
}

/// The number of a constant, which may be written as text.
pub fn number(context: Option<&Object>, key: &str) -> Option<u64> {
    match context?.get(key)? {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64(),
    }
}
