//! What U-Boot is told of addresses: LAVA's placeholders that the kind of the kernel and the dictionary decide, and the
//! headers that bootm wants before the files.

use crate::boot::{Boot, By, Method};
use crate::device::{Dictionary, at};
use crate::findings::Findings;
use crate::read::{boolean, require_text};
use mn_msg::Object;
use mn_msg::role::{Resource, UImage};
use mn_yaml::{Mapping, Position};
use serde_json::Value;

/// How a kernel is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booting {
    /// The command: `bootm`, `bootz` or `booti`.
    command: &'static str,
    /// The addresses of kernel, ramdisk, dtb, tee, dtbo and the base of overlays, as the dictionary writes them.
    addresses: [(&'static str, Option<String>); 6],
    /// Whether the ramdisk's address is followed by its size.
    sized: bool,
    /// The kernel's header, where it needs one.
    pub kernel: Option<UImage>,
    /// The ramdisk's header, where it needs one.
    pub ramdisk: Option<UImage>,
}

/// The placeholders of addresses, and their keys in the dictionary.
const ADDRESSES: [(&str, &str); 6] = [
    ("KERNEL_ADDR", "kernel"),
    ("RAMDISK_ADDR", "ramdisk"),
    ("DTB_ADDR", "dtb"),
    ("TEE_ADDR", "tee"),
    ("DTBO_ADDR", "dtbo"),
    ("DTB_BASE_ADDR", "dtb_base"),
];

/// Whether a command cannot be typed without knowing how the kernel is started.
pub fn needs_addresses(line: &str) -> bool {
    line.contains("{BOOTX}") || ADDRESSES.iter().any(|(name, _)| line.contains(&format!("{{{name}}}")))
}

/// How the kernel among `resources` is started; `Some(None)` when the job does not say of what type it is, None when
/// something in the dictionary is wrong, which is then among the findings.
pub fn booting(board: &Dictionary, resources: &[Resource], findings: &mut Findings) -> Option<Option<Booting>> {
    let resource = |name: &str| resources.iter().find(|resource| resource.name == name);
    let Some(kind) = resource("kernel").and_then(|kernel| kernel.kernel_type.as_deref()) else { return Some(None) };
    let root = &board.root;
    let parameters = at(root, &["parameters"]);
    let has = |key: &str| parameters.is_some_and(|map| map.get(key).is_some());
    let command = match kind {
        "zimage" if has("bootz") => "bootz",
        "image" if has("booti") => "booti",
        _ => "bootm",
    };
    let Some(own) = at(root, &["parameters", command]) else {
        let position = parameters.map_or(root.position(), Mapping::position);
        let text = format!("'parameters' has no '{command}' with the addresses for a kernel of type '{kind}'");
        findings.error(position, text);
        return None;
    };
    let deploy = at(root, &["actions", "deploy", "parameters"]);
    let header = deploy.and_then(|map| crate::deploy::one_of(map, "add_header", &["u-boot", "raw"], findings));
    let mut addresses = ADDRESSES.map(|(name, key)| (name, address(own, key)));
    addresses[0].1.as_ref().or_else(|| {
        findings.error(own.position(), format!("missing key 'kernel' in parameters: {command}"));
        None
    })?;
    // Without one, and without an address for one, the dtb's place is the third all the same.
    let has_ramdisk = resource("ramdisk").is_some() && header.is_some() && addresses[1].1.is_some();
    if !has_ramdisk {
        addresses[1].1 = Some("-".to_owned());
    }
    let mut booting = Booting {
        command,
        addresses,
        sized: has_ramdisk && header.as_deref() == Some("raw"),
        kernel: None,
        ramdisk: None,
    };
    if has_ramdisk && header.as_deref() == Some("u-boot") {
        booting.ramdisk =
            Some(UImage { arch: architecture(deploy, own.position(), findings)?, load: None, entry: None });
    }
    if command == "bootm" && kind != "uimage" {
        booting.kernel = Some(kernel_header(&booting, parameters, deploy, own.position(), findings)?);
    }
    Some(Some(booting))
}

/// Adds to what is fetched the headers and the device tree that it needs where `boot` is by U-Boot.
pub fn add_headers(resources: &mut [Resource], boot: Option<&Boot>, board: &Dictionary, findings: &mut Findings) {
    let Some(Method::Console(console)) = boot.map(|boot| &boot.method) else { return };
    if console.by != By::UBoot {
        return;
    }
    let append = has_dtb_appended(resources, board, findings);
    if let Some(kernel) = resources.iter_mut().find(|resource| resource.name == "kernel") {
        kernel.append_dtb = append.then_some(true);
    }
    let Some(Some(booting)) = booting(board, resources, findings) else { return };
    for resource in resources {
        resource.uimage = match resource.name.as_str() {
            "kernel" => booting.kernel.clone(),
            "ramdisk" => booting.ramdisk.clone(),
            _ => None,
        };
    }
}

/// Whether the dictionary says that the kernel is followed by its device tree, in one file.
fn has_dtb_appended(resources: &[Resource], board: &Dictionary, findings: &mut Findings) -> bool {
    const KEY: &str = "append_dtb";
    let deploy = at(&board.root, &["actions", "deploy", "parameters"]);
    let Some(map) = deploy.filter(|map| boolean(map, KEY, findings) == Some(true)) else { return false };
    let has = |name: &str| resources.iter().any(|resource| resource.name == name);
    if has("kernel") && !has("dtb") {
        findings.error(crate::read::place(map, KEY), "'append_dtb: true' needs a dtb, and the job deploys none");
    }
    has("kernel") && has("dtb")
}

/// An address as it is typed; one that YAML takes for a number is written as U-Boot reads it.
fn address(map: &Mapping, key: &str) -> Option<String> {
    match map.get(key)?.value() {
        Value::String(text) if !text.is_empty() => Some(text),
        Value::Number(number) => number.as_u64().map(|number| format!("{number:#x}")),
        _ => None,
    }
}

fn architecture(deploy: Option<&Mapping>, position: Position, findings: &mut Findings) -> Option<String> {
    match deploy {
        Some(map) => require_text(map, "mkimage_arch", findings),
        None => {
            findings.error(position, "missing key 'mkimage_arch' in actions: deploy: parameters");
            None
        }
    }
}

/// As mkimage makes it of the kernel's address, or of `text_offset`.
fn kernel_header(
    booting: &Booting,
    parameters: Option<&Mapping>,
    deploy: Option<&Mapping>,
    position: Position,
    findings: &mut Findings,
) -> Option<UImage> {
    const AFTER_HEADER: u32 = 64;
    let arch = architecture(deploy, position, findings)?;
    let offset = parameters.and_then(|map| address(map, "text_offset"));
    let load = offset.or_else(|| booting.addresses[0].1.clone())?;
    let digits = load.trim_start_matches("0x");
    let Some(load) = u32::from_str_radix(digits, 16).ok().filter(|load| *load <= u32::MAX - AFTER_HEADER) else {
        let text = format!("address '{load}' does not fit into the header of a kernel for bootm: give 'text_offset'");
        findings.error(position, text);
        return None;
    };
    let in_place = deploy.and_then(|map| boolean(map, "use_xip", findings)) == Some(true);
    let entry = if in_place { load + AFTER_HEADER } else { load };
    Some(UImage { arch, load: Some(load), entry: Some(entry) })
}

impl Booting {
    /// The values of the placeholders, null for what the dictionary does not have.
    pub fn placeholders(&self) -> Object {
        let [(_, kernel), (_, ramdisk), (_, dtb), ..] = &self.addresses;
        let size = if self.sized { ":${initrd_size}" } else { "" };
        let ramdisk = ramdisk.as_ref().map(|address| format!("{address}{size}"));
        let words = [kernel.as_ref(), ramdisk.as_ref(), dtb.as_ref()].into_iter().flatten();
        let line = words.fold(self.command.to_owned(), |line, word| line + " " + word);
        let addresses = self.addresses.iter().map(|(name, address)| ((*name).to_owned(), address.clone().into()));
        addresses.chain([("BOOTX".to_owned(), line.into())]).collect()
    }
}
