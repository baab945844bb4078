//! Where a console is: mn-message(5), Consoles.

use mn_cli::{Error, Result};
use std::path::PathBuf;

/// A console's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Specification {
    /// A command whose standard streams are the console.
    Exec(Vec<String>),
    /// A Unix stream socket.
    Unix(PathBuf),
    /// A TCP port with raw bytes, `HOST:PORT`.
    Tcp(String),
    /// A serial port and its rate in baud.
    Serial(String, u32),
}

impl Specification {
    /// Reads one.
    ///
    /// # Errors
    /// Status 2 when it is none of the four forms.
    pub fn parse(text: &str) -> Result<Specification> {
        let wrong = |why: &str| Error::wrong(format_args!("cannot use the console '{text}': {why}"));
        if let Some(command) = text.strip_prefix("exec:") {
            let words = shlex::split(command).filter(|words| !words.is_empty());
            return words.map(Specification::Exec).ok_or_else(|| wrong("the command is empty or a quote is open"));
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err(wrong("there is no path")) } else { Ok(Specification::Unix(path.into())) };
        }
        if let Some(address) = text.strip_prefix("tcp:") {
            let port =
                address.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port.parse::<u16>());
            return match port {
                Some(Ok(_)) => Ok(Specification::Tcp(address.to_owned())),
                _ => Err(wrong("it is not tcp:HOST:PORT")),
            };
        }
        if text.starts_with('/') {
            let (path, mode) = text.split_once(',').unwrap_or((text, "115200"));
            let rate = mode.strip_suffix("n8").unwrap_or(mode).parse().ok().filter(|&rate: &u32| rate > 0);
            let rate = rate.ok_or_else(|| wrong("after the comma stands a rate like '115200' or '115200n8'"))?;
            return Ok(Specification::Serial(path.to_owned(), rate));
        }
        Err(wrong("it begins with exec:, unix:, tcp: or a device's path"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_forms_are_understood() {
        let words = ["telnet", "con server", "7012"].map(str::to_owned).to_vec();
        assert_eq!(Specification::parse("exec:telnet 'con server' 7012").unwrap(), Specification::Exec(words));
        assert_eq!(Specification::parse("unix:/run/c.sock").unwrap(), Specification::Unix("/run/c.sock".into()));
        assert_eq!(Specification::parse("tcp:[::1]:2000").unwrap(), Specification::Tcp("[::1]:2000".into()));
        let serial = |path: &str, rate| Specification::Serial(path.into(), rate);
        assert_eq!(Specification::parse("/dev/ttyUSB0").unwrap(), serial("/dev/ttyUSB0", 115_200));
        assert_eq!(Specification::parse("/dev/ttyS1,9600n8").unwrap(), serial("/dev/ttyS1", 9600));
    }

    #[test]
    fn what_is_no_console_is_named() {
        for text in [
            "",
            "telnet x 1",
            "exec:",
            "exec:a 'b",
            "unix:",
            "tcp:host",
            "tcp::1",
            "tcp:h:99999",
            "/dev/tty,x",
            "/dev/tty,0",
        ] {
            let error = Specification::parse(text).unwrap_err();
            assert!(error.to_string().starts_with(&format!("cannot use the console '{text}': ")), "{error}");
        }
    }
}
