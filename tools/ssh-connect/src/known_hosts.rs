/// What a known_hosts file (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT) says about one name.
///
/// Only lines count that have the name itself in their list: no patterns, no hashed names. What is no such line is
/// passed over, so that one broken line does not lock every board out.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KnownHost {
    keys: Vec<Key>,
    revoked: Vec<Key>,
}

#[derive(Debug, PartialEq, Eq)]
struct Key {
    kind: String,
    base64: String,
}

/// Whether a key is the host's.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Known,
    Different,
    Revoked,
}

impl KnownHost {
    /// Reads the lines about `name`.
    pub fn read(file: &str, name: &str) -> Self {
        let mut host = Self::default();
        for line in file.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split_ascii_whitespace().peekable();
            let marker = words.next_if(|word| word.starts_with('@'));
            let (Some(names), Some(kind), Some(base64)) = (words.next(), words.next(), words.next()) else { continue };
            if !names.split(',').any(|listed| listed == name) {
                continue;
            }
            let key = Key { kind: kind.to_owned(), base64: base64.to_owned() };
            match marker {
                None => host.keys.push(key),
                Some("@revoked") => host.revoked.push(key),
                Some(_) => {}
            }
        }
        host
    }

    /// Whether there is no key to trust.
    pub fn is_unknown(&self) -> bool {
        self.keys.is_empty()
    }

    /// The algorithms to ask for, so that the host shows a key that is known: a comma-separated list.
    pub fn algorithms(&self) -> String {
        let mut algorithms: Vec<&str> = Vec::new();
        for key in &self.keys {
            let names: &[&str] = match key.kind.as_str() {
                "ssh-rsa" => &["rsa-sha2-512", "rsa-sha2-256"],
                kind => &[kind],
            };
            algorithms.extend(names.iter().filter(|name| !algorithms.contains(name)).copied().collect::<Vec<_>>());
        }
        algorithms.join(",")
    }

    /// Judges the key that the host has shown, as it came over the wire.
    pub fn judge(&self, key: &[u8]) -> Verdict {
        let shown = base64(key);
        let has = |keys: &[Key]| keys.iter().any(|key| key.base64 == shown);
        match (has(&self.revoked), has(&self.keys)) {
            (true, _) => Verdict::Revoked,
            (false, true) => Verdict::Known,
            (false, false) => Verdict::Different,
        }
    }
}

/// Base64 with padding (RFC 4648), as keys are written.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0, |group, &byte| group << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[(group >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_pads_as_the_rfc_shows() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn a_key_counts_only_under_its_own_name() {
        let file = "7,74588 ssh-ed25519 Zm9v a comment\n74586 ssh-ed25519 YmFy\n";
        let host = KnownHost::read(file, "74588");
        assert_eq!(host.judge(b"foo"), Verdict::Known);
        assert_eq!(host.judge(b"bar"), Verdict::Different);
        assert!(KnownHost::read(file, "745").is_unknown());
    }

    #[test]
    fn a_revoked_key_is_refused_although_it_is_known() {
        let file = "7 ssh-ed25519 Zm9v\n@revoked 7 ssh-ed25519 Zm9v\n";
        assert_eq!(KnownHost::read(file, "7").judge(b"foo"), Verdict::Revoked);
    }

    #[test]
    fn garbage_is_passed_over() {
        let file = "\u{0}\u{1}\n7\n# 7 ssh-rsa x\n@cert-authority 7 ssh-rsa Zm9v\n|1|a|b ssh-rsa x\n7 ssh-rsa YmFy\n";
        let host = KnownHost::read(file, "7");
        assert_eq!(host.judge(b"bar"), Verdict::Known);
        assert_eq!(host.judge(b"foo"), Verdict::Different);
    }

    #[test]
    fn the_algorithms_are_those_of_the_known_keys() {
        let file = "7 ssh-rsa Zm9v\n7 ecdsa-sha2-nistp256 YmFy\n7 ssh-rsa YmF6\n";
        assert_eq!(KnownHost::read(file, "7").algorithms(), "rsa-sha2-512,rsa-sha2-256,ecdsa-sha2-nistp256");
    }
}
