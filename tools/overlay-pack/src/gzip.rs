//! gzip on several threads: the same bytes for any number of them.
//!
//! The input is cut into blocks of one size. Each is compressed on its own, with the end of the block before it as
//! its dictionary, and ends on a byte, so that the blocks put together are one member.

use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::thread;

/// Bytes of a block.
const BLOCK: usize = 128 << 10;

/// How far back a match may reach, in bytes.
const WINDOW: usize = 32 << 10;

/// No name and no time, and no word about the system: they would differ from one packing to the next.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// Compresses what is written to it.
pub struct Gzip<W> {
    inner: W,
    threads: usize,
    /// The end of the block before those that are pending, and they themselves.
    pending: Vec<u8>,
    /// How many bytes of `pending` are only the dictionary.
    before: usize,
    crc: Crc,
}

impl<W: Write> Gzip<W> {
    /// Begins a member in `inner`.
    ///
    /// # Errors
    /// When the header cannot be written.
    pub fn new(mut inner: W, threads: NonZeroUsize) -> io::Result<Self> {
        inner.write_all(&HEADER)?;
        Ok(Self { inner, threads: threads.get(), pending: Vec::new(), before: 0, crc: Crc::new() })
    }

    /// Ends the member and gives back what it was written to.
    ///
    /// # Errors
    /// When the rest cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.compress(Last::Yes)?;
        self.inner.write_all(&self.crc.sum().to_le_bytes())?;
        self.inner.write_all(&self.crc.amount().to_le_bytes())?;
        Ok(self.inner)
    }

    /// Compresses what is pending; the last block only at the end, because it must know that it is the last.
    fn compress(&mut self, last: Last) -> io::Result<()> {
        let end = match last {
            Last::Yes => self.pending.len(),
            Last::No => self.before + (self.pending.len() - self.before - 1) / BLOCK * BLOCK,
        };
        let pending = &self.pending;
        let mut starts: Vec<usize> = (self.before..end).step_by(BLOCK).collect();
        if starts.is_empty() && last == Last::Yes {
            starts.push(end);
        }
        for batch in starts.chunks(self.threads) {
            let block = |&start: &usize| {
                let stop = end.min(start + BLOCK);
                let flush = if last == Last::Yes && stop == end { FlushCompress::Finish } else { FlushCompress::Sync };
                deflate(&pending[start.saturating_sub(WINDOW)..start], &pending[start..stop], flush)
            };
            let done: Vec<_> = match batch {
                [only] => vec![block(only)],
                batch => thread::scope(|scope| {
                    let threads: Vec<_> = batch.iter().map(|start| scope.spawn(move || block(start))).collect();
                    threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(lost()))).collect()
                }),
            };
            for block in done {
                self.inner.write_all(&block?)?;
            }
        }
        let keep = end.saturating_sub(WINDOW);
        self.pending.drain(..keep);
        self.before = end - keep;
        Ok(())
    }
}

/// Whether more follows.
#[derive(Clone, Copy, PartialEq)]
enum Last {
    Yes,
    No,
}

fn lost() -> io::Error {
    io::Error::other("a thread that compresses was lost")
}

/// One block as raw deflate.
fn deflate(dictionary: &[u8], block: &[u8], flush: FlushCompress) -> io::Result<Vec<u8>> {
    let mut compress = Compress::new(Compression::default(), false);
    if !dictionary.is_empty() {
        compress.set_dictionary(dictionary).map_err(io::Error::other)?;
    }
    let mut out = Vec::with_capacity(block.len() / 2 + 64);
    loop {
        let used = usize::try_from(compress.total_in()).unwrap_or(block.len());
        let status = compress.compress_vec(&block[used..], &mut out, flush).map_err(io::Error::other)?;
        let room = out.capacity() > out.len();
        if status == Status::StreamEnd || (flush == FlushCompress::Sync && room) {
            return Ok(out);
        }
        out.reserve(BLOCK);
    }
}

impl<W: Write> Write for Gzip<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.before + self.threads * BLOCK + 1 - self.pending.len();
        let taken = &bytes[..bytes.len().min(room)];
        self.crc.update(taken);
        self.pending.extend_from_slice(taken);
        if taken.len() == room {
            self.compress(Last::No)?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use std::io::Read;

    /// Bytes that neither repeat at once nor are without any pattern.
    fn bytes(length: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 27) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    fn zipped(bytes: &[u8], threads: usize) -> Vec<u8> {
        let mut gzip = Gzip::new(Vec::new(), NonZeroUsize::new(threads).unwrap()).unwrap();
        // In pieces, as tar writes them.
        bytes.chunks(1000).for_each(|piece| gzip.write_all(piece).unwrap());
        gzip.finish().unwrap()
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bytes_and_what_was_written_comes_back() {
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 7 * BLOCK + 12_345] {
            let bytes = bytes(length);
            let one = zipped(&bytes, 1);
            for threads in [2, 3, 16] {
                assert!(zipped(&bytes, threads) == one, "{length} bytes on {threads} threads");
            }
            let mut back = Vec::new();
            GzDecoder::new(one.as_slice()).read_to_end(&mut back).unwrap();
            assert!(back == bytes, "{length} bytes");
        }
    }

    #[test]
    fn a_block_knows_the_one_before_it() {
        // What repeats across blocks costs next to nothing.
        let half = bytes(WINDOW / 2);
        let repeated: Vec<u8> = half.iter().copied().cycle().take(8 * BLOCK).collect();
        assert!(zipped(&repeated, 2).len() < zipped(&half, 1).len() * 4);
    }
}
