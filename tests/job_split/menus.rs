//! The menus of a firmware, instead of a bootloader or before it.

use crate::methods::{TIME, board, expect, reset, send, steps};
use serde_json::json;

#[test]
fn a_menu_is_walked_through_to_the_firmwares_last_words() {
    let board = board(
        "x: y",
        "uefi-menu: {parameters: {interrupt_prompt: selection will start in, interrupt_string: ' ', \
         item_markup: ['[', ']'], item_class: 0-9, separator: ' ', bootloader_prompt: 'Start:', boot_message: Loaded}, \
         nfs: [{select: {items: [Boot Manager], fallback: Manage, wait: 'path:'}}, {select: {enter: '{KERNEL}', wait: 'Go:'}}, \
         {select: {items: ['{TEST_MENU_NAME}']}}]}",
    );
    let interrupt = "uefi-menu-interrupt";
    let selector = "uefi-menu-selector";
    let choose = |prompt: &str, item: &str| {
        json!({"step": "choose", "prompt": prompt, "item": item, "item_markup": ["[", "]"], "item_class": "0-9",
               "separator": " ", "name": selector})
    };
    let mut first = choose("Start:", "Boot Manager");
    first["fallback"] = json!("Manage");
    let path = json!({"step": "commands", "prompt": "path:", "lines": ["{KERNEL}"], "character_delay": 0,
        "line_ending": "\r", "name": selector});
    let expected = [
        reset(),
        expect("selection will start in", interrupt),
        send(" ", false, interrupt),
        first,
        path,
        choose("Go:", "LAVA nfs test image"),
        expect("Loaded", selector),
    ];
    assert_eq!(steps(&format!("{{method: uefi-menu, commands: nfs, {TIME}}}"), &board), expected);
}

#[test]
fn the_menu_before_grub_is_named_by_grub_or_by_itself() {
    let methods = |grub: &str, menu: &str| {
        let grub = format!("grub-efi: {{{grub}parameters: {{bootloader_prompt: 'grub>', needs_interrupt: false}}}}");
        let menu = format!(
            "uefi-menu: {{{menu}parameters: {{interrupt_prompt: will start in, interrupt_string: ' ', \
             item_markup: ['[', ']'], item_class: 0-9, separator: ' ', bootloader_prompt: 'Start:'}}, \
             pxe: [{{select: {{items: [PXE]}}}}], disk: [{{select: {{items: [Disk]}}}}]}}"
        );
        board("x: y", &format!("{grub}, {menu}"))
    };
    let items = |board: &str| -> Vec<String> {
        let steps = steps(&format!("{{method: grub-efi, commands: [boot], {TIME}}}"), board);
        steps.iter().filter_map(|step| step["item"].as_str().map(str::to_owned)).collect()
    };
    assert_eq!(items(&methods("menu_options: pxe, ", "menu_options: disk, ")), ["PXE"]);
    assert_eq!(items(&methods("", "menu_options: disk, ")), ["Disk"]);
    assert_eq!(items(&methods("", "")), [] as [&str; 0]);
}

#[test]
fn a_menu_is_left_by_escape_and_the_words_after_its_last_entry_are_awaited() {
    let board = board(
        "uefi-menu: {error-messages: [Boot Failed]}",
        "uefi-menu: {parameters: {interrupt_prompt: will start in, interrupt_string: x, item_markup: ['(', ')'], \
         item_class: a-z, separator: ' - ', bootloader_prompt: 'Main:'}, \
         disk: [{select: {items: [Boot, Disk], wait: 'Sub:'}}, {select: {escape: true, wait: 'Sure?'}}, \
         {select: {enter: y, wait: 'Bye TEST'}}]}",
    );
    let selector = "uefi-menu-selector";
    let choose = |prompt: &str, item: &str| {
        json!({"step": "choose", "prompt": prompt, "item": item, "item_markup": ["(", ")"], "item_class": "a-z",
               "separator": " - ", "name": selector})
    };
    let await_words =
        |words: &str| json!({"step": "expect", "patterns": [words], "errors": ["Boot Failed"], "name": selector});
    let answer = json!({"step": "commands", "prompt": "Sure?", "lines": ["y"], "character_delay": 0,
        "line_ending": "\r", "errors": ["Boot Failed"], "name": selector});
    let expected = [
        choose("Main:", "Boot"),
        choose("Sub:", "Disk"),
        await_words("Sub:"),
        send("\u{1b}", false, selector),
        answer,
        await_words("Bye TEST"),
    ];
    let steps = steps(&format!("{{method: uefi-menu, commands: disk, {TIME}}}"), &board);
    assert_eq!(steps[3..], expected);
}
