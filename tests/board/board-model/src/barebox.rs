use std::collections::BTreeMap;

use crate::words::words;

/// A line typed at barebox's prompt.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    Nothing,
    /// A global variable; those named `linux.bootargs.` are a kernel's arguments.
    Global {
        name: String,
        value: String,
    },
    Dhcp,
    Bootm(Bootm),
    Echo(String),
    Reset,
}

/// What is booted: paths in barebox's file system.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Bootm {
    pub kernel: String,
    pub initrd: Option<String>,
    pub oftree: Option<String>,
}

/// The variables that a line may set.
pub type Globals = BTreeMap<String, String>;

/// Reads a line; the error is what barebox prints.
pub fn parse(line: &str) -> Result<Command, String> {
    let words = words(line, |_| "");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Ok(match words.as_slice() {
        [] => Command::Nothing,
        ["global", assignment] => global(assignment)?,
        ["dhcp"] | ["ifup", ..] => Command::Dhcp,
        ["bootm", rest @ ..] => Command::Bootm(bootm(rest)?),
        ["echo", rest @ ..] => Command::Echo(rest.join(" ")),
        ["reset"] => Command::Reset,
        [word] if word.starts_with("global.") => global(&word["global.".len()..])?,
        [other, ..] => return Err(format!("{other}: not found")),
    })
}

/// The arguments of the kernel: all that the globals `linux.bootargs.` hold.
pub fn arguments(globals: &Globals) -> String {
    let values = globals.iter().filter(|(name, _)| name.starts_with("linux.bootargs."));
    values.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" ")
}

/// The path on the TFTP server, of one below its mount point.
pub fn on_server(path: &str) -> Option<&str> {
    path.strip_prefix("/mnt/tftp/").filter(|path| !path.is_empty())
}

fn global(assignment: &str) -> Result<Command, String> {
    let (name, value) = assignment.split_once('=').ok_or("global: usage: global NAME=VALUE")?;
    // A dictionary quotes such a value twice.
    let plain = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')).unwrap_or(value);
    Ok(Command::Global { name: name.to_owned(), value: plain.to_owned() })
}

fn bootm(words: &[&str]) -> Result<Bootm, String> {
    let mut bootm = Bootm::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().map(|word| (*word).to_owned()).ok_or("bootm: option requires an argument");
        match *word {
            "-v" => {}
            "-r" => bootm.initrd = Some(value()?),
            "-o" => bootm.oftree = Some(value()?),
            "-a" | "-e" | "-L" => drop(value()?),
            path => bootm.kernel = path.to_owned(),
        }
    }
    if bootm.kernel.is_empty() { Err("bootm: no boot image given".to_owned()) } else { Ok(bootm) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_may_be_quoted_twice() {
        let value = "root=/dev/nfs nfsroot=10.0.0.1:/x,tcp".to_owned();
        let line = format!("global linux.bootargs.nfs=\"'{value}'\"");
        let name = "linux.bootargs.nfs".to_owned();
        assert_eq!(parse(&line), Ok(Command::Global { name: name.clone(), value: value.clone() }));
        assert_eq!(parse("global.a=b"), Ok(Command::Global { name: "a".to_owned(), value: "b".to_owned() }));
        let globals = [(name, value), ("linux.bootargs.base".to_owned(), "console=ttyS0".to_owned())].into();
        assert_eq!(arguments(&globals), "console=ttyS0 root=/dev/nfs nfsroot=10.0.0.1:/x,tcp");
    }

    #[test]
    fn a_boot_line_names_a_kernel_a_ramdisk_and_a_device_tree() {
        let booting = Bootm {
            kernel: "/mnt/tftp/1/k".to_owned(),
            initrd: Some("/mnt/tftp/1/r".to_owned()),
            oftree: Some("/mnt/tftp/1/d".to_owned()),
        };
        let line = "bootm -v -r /mnt/tftp/1/r -o /mnt/tftp/1/d /mnt/tftp/1/k  -a 0x80000000";
        assert_eq!(parse(line), Ok(Command::Bootm(booting)));
        assert_eq!(parse("bootm -v"), Err("bootm: no boot image given".to_owned()));
        assert_eq!(parse("bootm -r"), Err("bootm: option requires an argument".to_owned()));
        assert_eq!(parse("explode"), Err("explode: not found".to_owned()));
    }

    #[test]
    fn only_what_is_below_the_mount_point_is_on_the_server() {
        assert_eq!(on_server("/mnt/tftp/1/k"), Some("1/k"));
        assert_eq!(on_server("/mnt/mmc/k"), None);
    }
}
