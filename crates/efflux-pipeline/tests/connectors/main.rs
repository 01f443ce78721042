//! Connectors, from what they read to what stands in a topic.
#![expect(clippy::unwrap_used, reason = "in tests")]

mod files;
mod files_crash;
mod folder;
mod http_poll;
mod many_files;
