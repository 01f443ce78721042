//! Memory to read into that comes back.
//!
//! A read hands out particles that share its buffer. Fresh memory for each read would cost more than
//! reading into it: the kernel clears and maps it page by page.

use std::io;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::disk::{DiskFile, read_up_to};
use crate::limits::{BUFFER_BYTES_MAX, BUFFER_BYTES_MIN, IDLE_BUFFERS_BYTES_MAX};

/// Buffers that nobody uses, for all topics of a store together.
#[derive(Debug, Default)]
pub(super) struct Buffers(Mutex<Idle>);

#[derive(Debug, Default)]
struct Idle {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

/// A buffer that is in use; it goes back when the last particle that shares it is dropped.
struct Lent {
    buffer: Vec<u8>,
    read: usize,
    buffers: Weak<Buffers>,
}

impl Buffers {
    /// Reads exactly `count` bytes at `offset`.
    pub(super) fn read_exact_at(
        self: &Arc<Self>,
        file: &dyn DiskFile,
        offset: u64,
        count: usize,
    ) -> io::Result<Bytes> {
        let bytes = self.read_up_to(file, offset, count)?;
        if bytes.len() < count {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(bytes)
    }

    /// Reads `count` bytes at `offset`, fewer at the file's end.
    pub(super) fn read_up_to(
        self: &Arc<Self>,
        file: &dyn DiskFile,
        offset: u64,
        count: usize,
    ) -> io::Result<Bytes> {
        if !(BUFFER_BYTES_MIN..=BUFFER_BYTES_MAX).contains(&count) {
            let mut buffer = vec![0; count];
            let read = read_up_to(file, &mut buffer, offset)?;
            buffer.truncate(read);
            return Ok(buffer.into());
        }
        let mut lent = Lent {
            buffer: self.take(count.next_power_of_two()),
            read: 0,
            buffers: Arc::downgrade(self),
        };
        let room = lent.buffer.get_mut(..count).unwrap_or_default();
        lent.read = read_up_to(file, room, offset)?;
        Ok(Bytes::from_owner(lent))
    }

    /// A buffer of this size, with whatever was read into it last.
    fn take(&self, bytes: usize) -> Vec<u8> {
        let mut idle = self.0.lock();
        let fitting = idle.buffers.iter().rposition(|idle| idle.len() == bytes);
        match fitting {
            Some(at) => {
                idle.bytes -= bytes;
                idle.buffers.swap_remove(at)
            }
            None => {
                drop(idle);
                vec![0; bytes]
            }
        }
    }

    /// Keeps a buffer for later, if not too many are kept already; the oldest make room.
    fn give_back(&self, buffer: Vec<u8>) {
        let mut idle = self.0.lock();
        idle.bytes += buffer.len();
        idle.buffers.push(buffer);
        while idle.bytes > IDLE_BUFFERS_BYTES_MAX {
            idle.bytes -= idle.buffers.remove(0).len();
        }
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        self.buffer.get(..self.read).unwrap_or_default()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(buffers) = self.buffers.upgrade() {
            buffers.give_back(std::mem::take(&mut self.buffer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Counting;

    impl DiskFile for Counting {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            let byte = u8::try_from(offset % 251).unwrap();
            buffer.fill(byte);
            Ok(buffer.len())
        }

        fn write_at(&self, _bytes: &[u8], _offset: u64) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn sync(&self) -> io::Result<()> {
            Ok(())
        }

        fn len(&self) -> io::Result<u64> {
            Ok(u64::MAX)
        }

        fn set_len(&self, _bytes: u64) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    #[test]
    fn a_buffer_is_used_again_only_when_its_last_reader_is_gone() {
        let buffers = Arc::new(Buffers::default());
        let read = |offset| buffers.read_exact_at(&Counting, offset, 100_000).unwrap();
        let first = read(1);
        let part = first.slice(50_000..50_001);
        drop(first);
        let second = read(2);
        assert_eq!((&*part, second.len()), (&[1][..], 100_000));
        assert!(buffers.0.lock().buffers.is_empty());
        drop(part);
        assert_eq!(buffers.0.lock().bytes, 131_072);
        let third = read(3);
        assert!(buffers.0.lock().buffers.is_empty());
        assert!(second.iter().all(|byte| *byte == 2) && third.iter().all(|byte| *byte == 3));
    }

    #[test]
    fn what_is_kept_has_a_bound() {
        let buffers = Arc::new(Buffers::default());
        let read = |count| buffers.read_exact_at(&Counting, 0, count).unwrap();
        let held: Vec<_> = (0..40).map(|_| read(BUFFER_BYTES_MAX)).collect();
        drop(held);
        assert_eq!(buffers.0.lock().bytes, IDLE_BUFFERS_BYTES_MAX);
        let held: Vec<_> = (0..40).map(|_| read(BUFFER_BYTES_MIN)).collect();
        drop(held);
        let idle = buffers.0.lock();
        assert!(idle.bytes <= IDLE_BUFFERS_BYTES_MAX);
        assert_eq!(idle.bytes, idle.buffers.iter().map(Vec::len).sum::<usize>());
    }

    #[test]
    fn a_particle_outlives_the_store_it_was_read_from() {
        let buffers = Arc::new(Buffers::default());
        let read = buffers.read_exact_at(&Counting, 7, 100_000).unwrap();
        drop(buffers);
        assert!(read.iter().all(|byte| *byte == 7));
    }
}
