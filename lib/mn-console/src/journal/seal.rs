//! The number and the checksum behind a text, as the helpers on the board make them: overlay-pack(1).

use md5::{Digest, Md5};

/// Beginnings of a text that are tried for one checksum.
const BEGINNINGS: usize = 8;
/// Bytes of the longest seal: `[mn `, twenty digits, a blank, eight digits, `]`.
const SEAL_BYTES: usize = 34;

/// The text with its number and checksum. `stage` is the stage's directory on the board: a member that shares the
/// board, or an earlier stage in the kernel's log, has signals with the same numbers.
pub fn sealed(stage: &str, number: u64, text: &str) -> String {
    format!("{text}[mn {number} {}]", checksum(stage, number, text.as_bytes()))
}

fn checksum(stage: &str, number: u64, text: &[u8]) -> String {
    let digest = Md5::new().chain_update(format!("{stage}/journal {number} ")).chain_update(text).finalize();
    digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// Where the text is that the line ends with, and its number, when its checksum is right.
pub(super) fn find(stage: &str, line: &[u8]) -> Option<(usize, usize, u64)> {
    let from = line.len().saturating_sub(SEAL_BYTES + 1);
    let end = from + line[from..].windows(5).rposition(|window| window == b">[mn ")? + 1;
    let inside = std::str::from_utf8(line.get(end + 4..line.len() - 1)?).ok()?;
    let (number, sum) = inside.split_once(' ')?;
    let number: u64 = number.parse().ok()?;
    let begins = |at: &usize| line[*at..end].starts_with(b"<LAVA_");
    let mut starts = (0..end).rev().filter(begins).take(BEGINNINGS);
    let start = starts.find(|&at| checksum(stage, number, &line[at..end]) == sum)?;
    Some((start, end, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_beginning_of_md5() {
        // printf '/lava-7/0/journal 12 <LAVA_SIGNAL_ENDTC pwd>' | md5sum
        assert_eq!(sealed("/lava-7/0", 12, "<LAVA_SIGNAL_ENDTC pwd>"), "<LAVA_SIGNAL_ENDTC pwd>[mn 12 da1ba3d5]");
    }

    #[test]
    fn a_text_ends_the_line_and_is_of_this_stage() {
        let line = format!("[ 1.0] <LAVA_SIG {}", sealed("/lava-7/0", u64::MAX, "<LAVA_SIGNAL_ENDTC pwd>"));
        let found = find("/lava-7/0", line.as_bytes()).unwrap();
        assert_eq!((&line[found.0..found.1], found.2), ("<LAVA_SIGNAL_ENDTC pwd>", u64::MAX));
        assert_eq!(find("/lava-7/1", line.as_bytes()), None);
        assert_eq!(find("/lava-7/0", line.replace("pwd", "pw").as_bytes()), None);
    }
}
