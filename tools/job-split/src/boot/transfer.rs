//! `transfer_overlay`: how a system that is not staged gets the overlay.

use crate::findings::Findings;
use crate::read::{Keys, place, require_text, text};
use crate::suggest::suggest;
use mn_yaml::Mapping;

/// `transfer_overlay` over HTTP.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// The command that fetches; the address comes after it.
    pub download: String,
    /// The command that unpacks; the file's name comes after it.
    pub unpack: String,
}

/// Reads it; none when something is wrong, or it is not over HTTP.
pub fn read(map: &Mapping, findings: &mut Findings) -> Option<Transfer> {
    const METHODS: [&str; 3] = ["http", "nfs", "zmodem"];
    let known = ["download_command", "transfer_method", "unpack_command"];
    Keys { of: "'transfer_overlay'", known: &known, unsupported: &[] }.check(map, findings);
    let method = text(map, "transfer_method", findings).unwrap_or_else(|| "http".to_owned());
    let at = place(map, "transfer_method");
    match method.as_str() {
        "http" => {}
        "nfs" | "zmodem" => {
            findings.unsupported_but(at, format_args!("transfer_method '{method}'"), "transfer by 'http'");
        }
        _ => findings.error(at, format!("unknown transfer_method '{method}'{}", suggest(&method, METHODS))),
    }
    // By its own protocol the board fetches nothing.
    let download =
        if method == "zmodem" { Some(String::new()) } else { require_text(map, "download_command", findings) };
    let unpack = require_text(map, "unpack_command", findings);
    Some(Transfer { download: download?, unpack: unpack? })
}
