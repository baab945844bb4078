//! The digests a job gives for a file, as LAVA names them: `md5sum`, `sha256sum`, `sha512sum`.

use md5::Md5;
use mn_cli::{Error, Result, hexadecimal};
use sha2::digest::DynDigest;
use sha2::{Digest, Sha256, Sha512};

/// The SHA-256 of a text in hexadecimal digits: the name of what a cache keeps of an address.
pub fn name_of(text: &str) -> String {
    hexadecimal(&Sha256::digest(text))
}

/// The digests wanted of one file, while its bytes pass by.
pub struct Digests(Vec<Wanted>);

struct Wanted {
    name: &'static str,
    hexadecimal: String,
    state: Box<dyn DynDigest + Send>,
}

/// What a job may give, each in hexadecimal digits of either case.
#[derive(Debug, Default, Clone, Copy)]
pub struct Given<'a> {
    /// Of RFC 1321.
    pub md5sum: Option<&'a str>,
    /// Of FIPS 180.
    pub sha256sum: Option<&'a str>,
    /// Of FIPS 180.
    pub sha512sum: Option<&'a str>,
}

impl Digests {
    /// Those that are given.
    ///
    /// # Errors
    /// Status 2 for a text that cannot be a digest.
    pub fn new(given: Given<'_>) -> Result<Self> {
        let given: [(_, _, Box<dyn DynDigest + Send>); 3] = [
            ("md5sum", given.md5sum, Box::new(Md5::default())),
            ("sha256sum", given.sha256sum, Box::new(Sha256::default())),
            ("sha512sum", given.sha512sum, Box::new(Sha512::default())),
        ];
        let mut wanted = Vec::new();
        for (name, text, state) in given {
            let Some(text) = text else { continue };
            let hexadecimal = text.trim().to_ascii_lowercase();
            let digits = hexadecimal.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !digits || hexadecimal.len() != 2 * state.output_size() {
                return Err(Error::wrong(format_args!("its {name} '{text}' is none")));
            }
            wanted.push(Wanted { name, hexadecimal, state });
        }
        Ok(Self(wanted))
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

    /// Compares what has passed by with what the job says.
    ///
    /// # Errors
    /// Status 2 when it differs.
    pub fn check(&self) -> Result<()> {
        for Wanted { name, hexadecimal: wanted, state } in &self.0 {
            let found = hexadecimal(&state.box_clone().finalize());
            if found != *wanted {
                return Err(Error::wrong(format_args!("its {name} is {found}, not {wanted} as the job says")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The test vectors of RFC 1321 and FIPS 180 for "abc".
    const MD5: &str = "900150983cd24fb0d6963f7d28e17f72";
    const SHA256: &str = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD";
    const SHA512: &str = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                          2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";

    #[test]
    fn every_kind_is_checked() {
        let none = Given::default();
        let kinds = [
            Given { md5sum: Some(MD5), ..none },
            Given { sha256sum: Some(SHA256), ..none },
            Given { sha512sum: Some(SHA512), ..none },
        ];
        for given in kinds {
            let mut digests = Digests::new(given).unwrap();
            digests.add(b"a");
            assert!(digests.check().is_err(), "{given:?}");
            digests.add(b"bc");
            assert!(digests.check().is_ok(), "{given:?}");
            digests.reset();
            digests.add(b"abc");
            assert!(digests.check().is_ok(), "{given:?}");
        }
    }

    #[test]
    fn what_differs_is_said() {
        let mut digests = Digests::new(Given { md5sum: Some(MD5), ..Given::default() }).unwrap();
        digests.add(b"a");
        let said = format!("its md5sum is 0cc175b9c0f1b6a831c399e269772661, not {MD5} as the job says");
        assert_eq!(digests.check().unwrap_err().to_string(), said);
    }

    #[test]
    fn a_text_that_is_no_digest_is_named() {
        for text in ["abc", "zz0150983cd24fb0d6963f7d28e17f72", MD5] {
            let error = Digests::new(Given { sha256sum: Some(text), ..Given::default() }).err().unwrap();
            assert_eq!(error.to_string(), format!("its sha256sum '{text}' is none"));
        }
    }
}
