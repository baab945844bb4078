//! The digests a job gives for a file.

use md5::Md5;
use mn_cli::{Error, Result};
use mn_msg::role::Resource;
use sha2::digest::DynDigest;
use sha2::{Sha256, Sha512};

/// The digests wanted of one file, while its bytes pass by.
pub struct Digests(Vec<Wanted>);

struct Wanted {
    name: &'static str,
    hexadecimal: String,
    state: Box<dyn DynDigest + Send>,
}

impl Digests {
    /// The digests that the job gives for a resource.
    ///
    /// # Errors
    /// Status 2 for a text that cannot be a digest.
    pub fn new(resource: &Resource) -> Result<Self> {
        let given: [(_, &Option<String>, Box<dyn DynDigest + Send>); 3] = [
            ("md5sum", &resource.md5sum, Box::new(Md5::default())),
            ("sha256sum", &resource.sha256sum, Box::new(Sha256::default())),
            ("sha512sum", &resource.sha512sum, Box::new(Sha512::default())),
        ];
        let mut wanted = Vec::new();
        for (name, text, state) in given {
            let Some(text) = text else { continue };
            let hexadecimal = text.trim().to_ascii_lowercase();
            let digits = hexadecimal.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !digits || hexadecimal.len() != 2 * state.output_size() {
                return Err(Error::wrong(format_args!("cannot check '{}': {name} '{text}' is none", resource.url)));
            }
            wanted.push(Wanted { name, hexadecimal, state });
        }
        Ok(Digests(wanted))
    }

    /// Whether the job gives any.
    pub fn are_wanted(&self) -> bool {
        !self.0.is_empty()
    }

    /// Takes the next bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        for wanted in &mut self.0 {
            wanted.state.update(bytes);
        }
    }

    /// Forgets the bytes so far.
    pub fn reset(&mut self) {
        for wanted in &mut self.0 {
            wanted.state.reset();
        }
    }

    /// Compares what has passed by with what the job says of `url`.
    ///
    /// # Errors
    /// Status 2 when it differs.
    pub fn check(&self, url: &str) -> Result<()> {
        for wanted in &self.0 {
            let found: String = wanted.state.box_clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            if found != wanted.hexadecimal {
                return Err(Error::wrong(format_args!(
                    "cannot use '{url}': its {} is {found}, not {} as the job says",
                    wanted.name, wanted.hexadecimal
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn digests(name: &str, text: &str) -> Result<Digests> {
        Digests::new(&serde_json::from_value(json!({ "name": "kernel", "url": "u", name: text })).unwrap())
    }

    // The test vectors of RFC 1321 and FIPS 180 for "abc".
    const ABC: [(&str, &str); 3] = [
        ("md5sum", "900150983cd24fb0d6963f7d28e17f72"),
        ("sha256sum", "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"),
        (
            "sha512sum",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd\
             454d4423643ce80e2a9ac94fa54ca49f",
        ),
    ];

    #[test]
    fn every_kind_is_checked() {
        for (name, text) in ABC {
            let mut digests = digests(name, text).unwrap();
            digests.add(b"a");
            assert!(digests.check("u").is_err(), "{name}");
            digests.add(b"bc");
            assert!(digests.check("u").is_ok(), "{name}");
        }
    }

    #[test]
    fn a_text_that_is_no_digest_is_an_error_before_anything_is_fetched() {
        assert!(digests("sha256sum", "abc").is_err());
        assert!(digests("md5sum", "zz0150983cd24fb0d6963f7d28e17f72").is_err());
    }
}
