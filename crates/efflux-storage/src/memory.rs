//! A backend that keeps everything in memory: for tests, for models, for what need not last.

mod backend;
mod log;
mod restoring;

pub(crate) use self::backend::MemoryBackend;
pub(crate) use self::log::MemoryLog;
