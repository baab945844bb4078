//! The group's name when none is given.

use sha2::{Digest, Sha256};

/// A UUID (RFC 9562, version 8) made of the job's text and its first id: the same arguments give
/// the same bytes.
pub fn derive(job: &[u8], first_id: u64) -> String {
    let mut digest = Sha256::new();
    digest.update(first_id.to_be_bytes());
    digest.update(job);
    let digest = digest.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_the_shape_of_a_uuid_of_version_8() {
        let name = derive(b"job", 1);
        let lengths: Vec<usize> = name.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(&name[14..15], "8");
        assert!("89ab".contains(&name[19..20]));
    }

    #[test]
    fn a_group_depends_on_the_job_and_its_id() {
        assert_eq!(derive(b"job", 1), derive(b"job", 1));
        assert_ne!(derive(b"job", 1), derive(b"job", 2));
        assert_ne!(derive(b"job", 1), derive(b"jot", 1));
    }
}
