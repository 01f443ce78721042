//! Where consumers' records are kept: in files, or in memory.

mod file;
mod format;
mod memory;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use file::FileJournal;
#[cfg(test)]
pub(crate) use format::RECORD_BYTES_MAX;
pub(crate) use format::check;
pub(crate) use memory::MemoryJournal;
