//! The digests that a job gives for an archive.

use md5::Md5;
use mn_msg::role::Definition;
use sha2::digest::DynDigest;
use sha2::{Sha256, Sha512};

/// Digests that are wanted, while the bytes pass by.
pub struct Digests(Vec<Wanted>);

struct Wanted {
    name: &'static str,
    hexadecimal: String,
    state: Box<dyn DynDigest + Send>,
}

impl Digests {
    /// Those of a definition.
    ///
    /// # Errors
    /// A text that cannot be a digest, in words.
    pub fn new(order: &Definition) -> Result<Self, String> {
        let given: [(_, _, Box<dyn DynDigest + Send>); 3] = [
            ("md5sum", &order.md5sum, Box::new(Md5::default())),
            ("sha256sum", &order.sha256sum, Box::new(Sha256::default())),
            ("sha512sum", &order.sha512sum, Box::new(Sha512::default())),
        ];
        let mut wanted = Vec::new();
        for (name, text, state) in given {
            let Some(text) = text else { continue };
            let hexadecimal = text.trim().to_ascii_lowercase();
            let digits = hexadecimal.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !digits || hexadecimal.len() != 2 * state.output_size() {
                return Err(format!("its {name} '{text}' is none"));
            }
            wanted.push(Wanted { name, hexadecimal, state });
        }
        Ok(Self(wanted))
    }

    /// Takes the next bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        for wanted in &mut self.0 {
            wanted.state.update(bytes);
        }
    }

    /// Compares what has passed by with what the job says.
    ///
    /// # Errors
    /// What differs, in words.
    pub fn check(self) -> Result<(), String> {
        for Wanted { name, hexadecimal, state } in self.0 {
            let found: String = state.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            if found != hexadecimal {
                return Err(format!("its {name} is {found}, not {hexadecimal} as the job says"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn digests(name: &str, text: &str) -> Result<Digests, String> {
        let order = json!({"from": "url", "name": "x", "run": "0_x", "uuid": "1", "path": "x.yaml", name: text});
        Digests::new(&serde_json::from_value(order).unwrap())
    }

    #[test]
    fn the_bytes_must_be_those_of_the_digest() {
        // Of "abc", RFC 1321.
        let abc = "900150983CD24FB0D6963F7D28E17F72";
        let of = |pieces: &[&[u8]]| {
            let mut digests = digests("md5sum", abc).unwrap();
            pieces.iter().for_each(|piece| digests.add(piece));
            digests.check()
        };
        assert_eq!(of(&[b"a", b"bc"]), Ok(()));
        let found = "its md5sum is 0cc175b9c0f1b6a831c399e269772661, not 900150983cd24fb0d6963f7d28e17f72";
        assert_eq!(of(&[b"a"]).unwrap_err(), format!("{found} as the job says"));
    }

    #[test]
    fn a_text_that_is_no_digest_is_named() {
        assert_eq!(digests("sha256sum", "abc").err().unwrap(), "its sha256sum 'abc' is none");
    }
}
