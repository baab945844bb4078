//! Where a console is: mn-message(5), Consoles.

use mn_cli::{Error, Result};
use mn_console::serial_mode::SerialMode;
use std::fmt;
use std::path::PathBuf;

/// A console's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Specification {
    /// A command whose standard streams are the console.
    Exec(Vec<String>),
    /// A Unix stream socket.
    Unix(PathBuf),
    /// A TCP port with raw bytes.
    Tcp(Address),
    /// A TCP port that speaks telnet.
    Telnet(Address),
    /// A TCP port that speaks telnet and lets its serial port be set up.
    Rfc2217(Address, SerialMode),
    /// A serial port.
    Serial(PathBuf, SerialMode),
    /// A pseudo-terminal that is made here.
    Pty,
    /// The console of another member, to be recorded: the path of its socket, its id or its role.
    Share(String),
}

/// A host and its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = (&self.host, self.port);
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl fmt::Display for Specification {
    /// Its place, without the mode.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Specification::Exec(words) => write!(f, "{}", words.join(" ")),
            Specification::Unix(path) | Specification::Serial(path, _) => write!(f, "{}", path.display()),
            Specification::Tcp(address) | Specification::Telnet(address) | Specification::Rfc2217(address, _) => {
                address.fmt(f)
            }
            Specification::Pty => f.write_str("pty:"),
            Specification::Share(name) => f.write_str(name),
        }
    }
}

impl Specification {
    /// Whether a terminal server is between.
    pub fn is_network(&self) -> bool {
        matches!(self, Specification::Tcp(_) | Specification::Telnet(_) | Specification::Rfc2217(..))
    }

    /// Reads one.
    ///
    /// # Errors
    /// Status 2 with the mend, when it is none of the forms.
    pub fn parse(text: &str) -> Result<Specification> {
        parse(text).map_err(|why| Error::wrong(format_args!("cannot use the console '{text}': {why}")))
    }
}

fn parse(text: &str) -> std::result::Result<Specification, String> {
    if text.starts_with('/') {
        let (path, mode) = path_and_mode(text)?;
        return Ok(Specification::Serial(path, mode));
    }
    let Some((kind, rest)) = text.split_once(':') else { return Err(mend(text)) };
    match kind {
        "exec" => {
            let words = shlex::split(rest).filter(|words| !words.is_empty());
            words.map(Specification::Exec).ok_or_else(|| "the command is empty or a quote is open".to_owned())
        }
        "unix" if rest.is_empty() => Err("there is no path: it is unix:PATH".into()),
        "unix" => Ok(Specification::Unix(rest.into())),
        "tcp" => Ok(Specification::Tcp(address(kind, rest)?)),
        "telnet" => Ok(Specification::Telnet(address(kind, rest)?)),
        "rfc2217" => {
            let (rest, mode) = rest.split_once(',').unwrap_or((rest, "115200"));
            Ok(Specification::Rfc2217(address(kind, rest)?, mode.parse()?))
        }
        "pty" if rest.is_empty() => Ok(Specification::Pty),
        "pty" => Ok(Specification::Serial(rest.into(), SerialMode::default())),
        "share" if rest.is_empty() => Err("it is share: and a socket's path, a job id or a role".into()),
        "share" => Ok(Specification::Share(rest.to_owned())),
        _ => Err(mend(text)),
    }
}

/// What stands behind a comma is a mode if it begins with a digit; the names that udev makes may have other commas.
fn path_and_mode(text: &str) -> std::result::Result<(PathBuf, SerialMode), String> {
    let begins = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    let comma = text.match_indices(',').map(|(at, _)| at).find(|&at| begins(&text[at + 1..]));
    match comma {
        Some(at) => Ok((text[..at].into(), text[at + 1..].parse()?)),
        None if text.contains(',') && !text.starts_with("/dev/serial/") => {
            Err("after the comma stands a rate like '115200', '115200n8' or '115200n8,rtscts'".into())
        }
        None => Ok((text.into(), SerialMode::default())),
    }
}

fn address(kind: &str, text: &str) -> std::result::Result<Address, String> {
    let wrong = || format!("it is not {kind}:HOST:PORT");
    let (host, port) = text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).ok_or_else(wrong)?;
    let port = port.parse::<u16>().ok().filter(|&port| port > 0).ok_or_else(wrong)?;
    let bare = host.strip_prefix('[').map(|host| host.strip_suffix(']').ok_or_else(wrong)).transpose()?;
    match bare {
        Some(host) if host.parse::<std::net::Ipv6Addr>().is_err() => Err(wrong()),
        None if host.contains(':') => Err(format!("an address of IPv6 stands in brackets: {kind}:[::1]:{port}")),
        None if host.contains(['/', '[', ']']) || host.contains(char::is_whitespace) => Err(wrong()),
        host_in_brackets => Ok(Address { host: host_in_brackets.unwrap_or(host).to_owned(), port }),
    }
}

/// What was probably meant.
fn mend(text: &str) -> String {
    const KINDS: &str =
        "it begins with exec:, unix:, tcp: or a device's path, or with telnet:, rfc2217:, pty: or share:";
    if text.contains(char::is_whitespace) {
        format!("{KINDS}; a command is 'exec:{text}'")
    } else if text.starts_with("tty") {
        format!("a device has its whole path: '/dev/{text}'")
    } else {
        KINDS.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right(text: &str) -> Specification {
        Specification::parse(text).unwrap()
    }

    fn at(host: &str, port: u16) -> Address {
        Address { host: host.into(), port }
    }

    #[test]
    fn every_form_is_understood() {
        let words = ["telnet", "con server", "7012"].map(str::to_owned).to_vec();
        assert_eq!(right("exec:telnet 'con server' 7012"), Specification::Exec(words));
        assert_eq!(right("unix:/run/c.sock"), Specification::Unix("/run/c.sock".into()));
        assert_eq!(right("tcp:[::1]:2000"), Specification::Tcp(at("::1", 2000)));
        assert_eq!(right("telnet:con-1.lab:7012"), Specification::Telnet(at("con-1.lab", 7012)));
        let mode = "9600e7,rtscts".parse().unwrap();
        assert_eq!(right("rfc2217:con:1,9600e7,rtscts"), Specification::Rfc2217(at("con", 1), mode));
        assert_eq!(right("rfc2217:con:1"), Specification::Rfc2217(at("con", 1), SerialMode::default()));
        assert_eq!(right("pty:"), Specification::Pty);
        assert_eq!(right("share:host"), Specification::Share("host".into()));
    }

    #[test]
    fn a_serial_port_has_a_path_and_perhaps_a_mode() {
        let serial = |path: &str, mode: &str| Specification::Serial(path.into(), mode.parse().unwrap());
        assert_eq!(right("/dev/ttyUSB0"), serial("/dev/ttyUSB0", "115200"));
        assert_eq!(right("/dev/ttyS1,9600n8"), serial("/dev/ttyS1", "9600"));
        assert_eq!(right("/dev/ttyUSB0,115200n8,rtscts"), serial("/dev/ttyUSB0", "115200,rtscts"));
        let name = "/dev/serial/by-id/usb-FTDI,_Inc._TTL232R-if00-port0";
        assert_eq!(right(name), serial(name, "115200"));
        assert_eq!(right(&format!("{name},9600")), serial(name, "9600"));
        assert_eq!(right("pty:/dev/pts/7"), serial("/dev/pts/7", "115200"));
    }

    #[test]
    fn what_is_no_console_is_told_with_its_mend() {
        for (text, mend) in [
            ("x:1", "it begins with exec:, unix:, tcp: or a device's path, or with telnet:, rfc2217:, pty: or share:"),
            (
                "telnet x 1",
                "it begins with exec:, unix:, tcp: or a device's path, or with telnet:, rfc2217:, pty: or share:; \
                 a command is 'exec:telnet x 1'",
            ),
            ("ttyUSB0,9600", "a device has its whole path: '/dev/ttyUSB0,9600'"),
            ("ttyS0:9600", "a device has its whole path: '/dev/ttyS0:9600'"),
            ("exec:", "the command is empty or a quote is open"),
            ("exec:a 'b", "the command is empty or a quote is open"),
            ("unix:", "there is no path: it is unix:PATH"),
            ("tcp:host", "it is not tcp:HOST:PORT"),
            ("tcp::1", "it is not tcp:HOST:PORT"),
            ("tcp:h:99999", "it is not tcp:HOST:PORT"),
            ("telnet://h:1", "it is not telnet:HOST:PORT"),
            ("telnet:[h]:1", "it is not telnet:HOST:PORT"),
            ("rfc2217:h:0,9600", "it is not rfc2217:HOST:PORT"),
            ("tcp:::1:2000", "an address of IPv6 stands in brackets: tcp:[::1]:2000"),
            ("rfc2217:h:1,n8", "'n8' is no rate like '115200' or '115200n8'"),
            ("/dev/tty,x", "after the comma stands a rate like '115200', '115200n8' or '115200n8,rtscts'"),
            ("/dev/tty,0", "'0' is no rate like '115200' or '115200n8'"),
            ("/dev/tty,9600,dtr", "flow control 'dtr' is not known: 'rtscts', 'xonxoff' or 'none'"),
            ("share:", "it is share: and a socket's path, a job id or a role"),
        ] {
            let error = Specification::parse(text).unwrap_err();
            assert_eq!(error.to_string(), format!("cannot use the console '{text}': {mend}"));
        }
    }
}
