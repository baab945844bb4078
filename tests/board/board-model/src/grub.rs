use crate::tftp::NetFile;

/// A line typed at GRUB's prompt.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    Nothing,
    Insmod,
    NetBootp,
    Linux { kernel: NetFile, arguments: String },
    Initrd(Vec<NetFile>),
    Boot,
    Echo(String),
    Exit,
    Reboot,
    Halt,
}

const MODULES: &[&str] = &["echo", "efinet", "gzio", "linux", "net", "normal", "tftp"];

/// Reads a line; the error is what GRUB prints.
pub fn parse(line: &str) -> Result<Command, String> {
    let (name, rest) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
    let rest = rest.trim();
    Ok(match name {
        "" => Command::Nothing,
        "insmod" if MODULES.contains(&rest) => Command::Insmod,
        "insmod" => return Err(format!("error: file '/EFI/grub/arm64-efi/{rest}.mod' not found.")),
        "net_bootp" | "net_dhcp" => Command::NetBootp,
        "linux" => {
            let (kernel, arguments) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            Command::Linux { kernel: file(kernel)?, arguments: arguments.trim().to_owned() }
        }
        "initrd" if rest.is_empty() => return Err("error: filename expected.".to_owned()),
        "initrd" => Command::Initrd(rest.split_whitespace().map(file).collect::<Result<_, _>>()?),
        "boot" => Command::Boot,
        "echo" => Command::Echo(rest.to_owned()),
        "exit" => Command::Exit,
        "reboot" => Command::Reboot,
        "halt" => Command::Halt,
        other => return Err(format!("error: can't find command '{other}'.")),
    })
}

/// A file as GRUB names one on the network: `(tftp,ADDRESS)/PATH`.
fn file(name: &str) -> Result<NetFile, String> {
    if name.is_empty() {
        return Err("error: filename expected.".to_owned());
    }
    let (device, path) = name
        .strip_prefix('(')
        .and_then(|rest| rest.split_once(')'))
        .ok_or_else(|| "error: no server is specified.".to_owned())?;
    let server = match device.split_once(',') {
        Some(("tftp", server)) => server.parse().map_err(|_| "error: unresolvable address.".to_owned())?,
        _ => return Err(format!("error: disk '{device}' not found.")),
    };
    Ok(NetFile { server, path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_kernel_line_is_a_file_and_its_arguments() {
        let line = "linux (tftp,10.77.0.1)/74588/kernel console=ttyS0,115200n8  root=/dev/nfs";
        let kernel = NetFile { server: Ipv4Addr::new(10, 77, 0, 1), path: "/74588/kernel".to_owned() };
        let arguments = "console=ttyS0,115200n8  root=/dev/nfs".to_owned();
        assert_eq!(parse(line), Ok(Command::Linux { kernel, arguments }));
    }

    #[test]
    fn what_is_no_network_file_is_refused_in_grubs_words() {
        for (line, error) in [
            ("linux", "error: filename expected."),
            ("initrd", "error: filename expected."),
            ("initrd (hd0)/x", "error: disk 'hd0' not found."),
            ("linux /x", "error: no server is specified."),
            ("linux (tftp,lab)/x", "error: unresolvable address."),
            ("explode", "error: can't find command 'explode'."),
            ("insmod dance", "error: file '/EFI/grub/arm64-efi/dance.mod' not found."),
        ] {
            assert_eq!(parse(line), Err(error.to_owned()));
        }
    }
}
