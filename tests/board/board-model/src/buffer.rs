use std::io::{ErrorKind, Read, Result, Write};

/// Bytes on their way from one descriptor to another: refilled only when all are through, so that a slow reader holds
/// the writer up instead of filling memory.
#[derive(Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    passed: usize,
}

impl Buffer {
    /// Whether there is nothing to pass on.
    pub fn is_empty(&self) -> bool {
        self.passed == self.bytes.len()
    }

    /// Forgets what it holds.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.passed = 0;
    }

    /// Adds what one read gives, up to 4096 bytes; says how many there were, which is 0 at the end of the file.
    pub fn fill(&mut self, mut from: impl Read) -> Result<usize> {
        let mut chunk = [0; 4096];
        let n = from.read(&mut chunk)?;
        if self.is_empty() {
            self.clear();
        }
        self.bytes.extend_from_slice(&chunk[..n]);
        Ok(n)
    }

    /// Writes what one write takes; that it takes nothing now is no error.
    pub fn drain(&mut self, mut to: impl Write) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        match to.write(&self.bytes[self.passed..]) {
            Ok(n) => self.passed += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes three bytes at a time.
    struct Slow(Vec<u8>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> Result<usize> {
            let n = bytes.len().min(3);
            self.0.extend_from_slice(&bytes[..n]);
            Ok(n)
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_slow_writer_gets_every_byte_once() {
        let (mut buffer, mut slow) = (Buffer::default(), Slow(Vec::new()));
        assert_eq!(buffer.fill(&b"abcdefgh"[..]).unwrap(), 8);
        while !buffer.is_empty() {
            buffer.drain(&mut slow).unwrap();
        }
        assert_eq!(slow.0, b"abcdefgh");
    }
}
