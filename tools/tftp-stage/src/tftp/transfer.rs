//! Which blocks to send next: the state of one transfer, without socket or clock.

use std::ops::RangeInclusive;

/// A transfer of `blocks` blocks, `window` at a time; blocks are counted from 1 and the wire has 16 bits of it.
#[derive(Debug)]
pub struct Transfer {
    blocks: u64,
    window: u64,
    acknowledged: u64,
}

impl Transfer {
    /// A file of `size` bytes has one block more than fills it: a short one ends the transfer, empty if need be.
    pub fn new(size: u64, block_size: usize, window: u16) -> Self {
        Transfer { blocks: size / block_size as u64 + 1, window: window.into(), acknowledged: 0 }
    }

    /// Whether the client has everything.
    pub fn is_done(&self) -> bool {
        self.acknowledged == self.blocks
    }

    /// The blocks to send now, again if they were sent before.
    pub fn window(&self) -> RangeInclusive<u64> {
        self.acknowledged + 1..=self.blocks.min(self.acknowledged + self.window)
    }

    /// Takes an acknowledgement; says whether it was of a block of this window.
    ///
    /// An old one is not news: to send again because of it doubles every block from there on.
    pub fn acknowledge(&mut self, number: u16) -> bool {
        let step = u64::from(number.wrapping_sub(self.acknowledged as u16));
        let news = (1..=self.window).contains(&step) && self.acknowledged + step <= self.blocks;
        if news {
            self.acknowledged += step;
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_fills_its_blocks_ends_with_an_empty_one() {
        assert_eq!(Transfer::new(1024, 512, 8).window(), 1..=3);
        assert_eq!(Transfer::new(0, 512, 8).window(), 1..=1);
    }

    #[test]
    fn block_numbers_go_round_after_65535() {
        let mut transfer = Transfer::new(70_000 * 512, 512, 1);
        for block in 1..=70_001_u64 {
            assert_eq!(transfer.window(), block..=block);
            assert!(transfer.acknowledge(block as u16), "block {block}");
        }
        assert!(transfer.is_done());
    }

    #[test]
    fn an_old_acknowledgement_is_no_news() {
        let mut transfer = Transfer::new(5000, 512, 1);
        assert!(transfer.acknowledge(1));
        assert!(!transfer.acknowledge(1));
        assert!(!transfer.acknowledge(0));
        assert!(!transfer.acknowledge(3));
        assert_eq!(transfer.window(), 2..=2);
    }

    #[test]
    fn a_lost_block_is_sent_again_from_there() {
        let mut transfer = Transfer::new(5000, 512, 4);
        assert!(transfer.acknowledge(2));
        assert_eq!(transfer.window(), 3..=6);
    }
}
