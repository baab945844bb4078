use crate::tftp::NetFile;
use std::collections::BTreeMap;

/// A line typed at iPXE's prompt, or of a script.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    Nothing,
    Dhcp,
    Set { name: String, value: String },
    Kernel { uri: String, arguments: String },
    Initrd { uri: String },
    Chain { uri: String },
    Boot,
    Echo(String),
    Reboot,
}

/// iPXE's settings.
pub type Settings = BTreeMap<String, String>;

/// Reads a line; the error is what iPXE prints.
pub fn parse(line: &str, settings: &Settings) -> Result<Command, String> {
    let line = expanded(line, settings);
    let words: Vec<&str> = line.split_whitespace().collect();
    let usage = |name: &str| format!("Usage:\n\n  {name} ...");
    Ok(match words.as_slice() {
        [] => Command::Nothing,
        [comment, ..] if comment.starts_with('#') => Command::Nothing,
        ["dhcp" | "ifconf", ..] => Command::Dhcp,
        ["set", name, value @ ..] => Command::Set { name: (*name).to_owned(), value: value.join(" ") },
        ["kernel", uri, arguments @ ..] => Command::Kernel { uri: (*uri).to_owned(), arguments: arguments.join(" ") },
        ["initrd" | "module", uri, ..] => Command::Initrd { uri: (*uri).to_owned() },
        ["chain", uri, ..] => Command::Chain { uri: (*uri).to_owned() },
        ["boot"] => Command::Boot,
        ["echo", rest @ ..] => Command::Echo(rest.join(" ")),
        ["reboot"] => Command::Reboot,
        [name @ ("set" | "kernel" | "initrd" | "module" | "chain" | "boot"), ..] => return Err(usage(name)),
        [other, ..] => return Err(format!("{other}: command not found")),
    })
}

/// The lines of a script; none when it is no script.
pub fn script(bytes: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.starts_with("#!ipxe").then(|| text.lines().map(str::to_owned).collect())
}

/// The file that `tftp://ADDRESS/PATH` names.
pub fn net_file(uri: &str) -> Option<NetFile> {
    let (server, path) = uri.strip_prefix("tftp://")?.split_once('/')?;
    Some(NetFile { server: server.parse().ok()?, path: path.to_owned() })
}

/// The line with `${NAME}` replaced; what is not set is nothing.
fn expanded(line: &str, settings: &Settings) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        out.push_str(settings.get(name).map_or("", String::as_str));
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_put_into_a_line() {
        let settings = [("console".to_owned(), "console=ttyS0".to_owned())].into();
        let kernel =
            |uri: &str, arguments: &str| Command::Kernel { uri: uri.to_owned(), arguments: arguments.to_owned() };
        let line = "kernel tftp://10.0.0.1/1/k ${extra} root=/dev/ram0 ${console}";
        assert_eq!(parse(line, &settings), Ok(kernel("tftp://10.0.0.1/1/k", "root=/dev/ram0 console=ttyS0")));
        assert_eq!(parse("# nothing", &settings), Ok(Command::Nothing));
        assert_eq!(parse("explode", &settings), Err("explode: command not found".to_owned()));
        assert_eq!(parse("kernel", &settings), Err("Usage:\n\n  kernel ...".to_owned()));
    }

    #[test]
    fn a_script_says_that_it_is_one() {
        assert_eq!(script(b"#!ipxe\n\nboot\n"), Some(vec!["#!ipxe".to_owned(), String::new(), "boot".to_owned()]));
        assert_eq!(script(b"boot\n"), None);
    }

    #[test]
    fn a_file_is_named_by_a_tftp_address() {
        let file = NetFile { server: [10, 0, 0, 1].into(), path: "1/kernel/k".to_owned() };
        assert_eq!(net_file("tftp://10.0.0.1/1/kernel/k"), Some(file));
        assert_eq!(net_file("http://10.0.0.1/k"), None);
        assert_eq!(net_file("tftp://{SERVER_IP}/k"), None);
    }
}
