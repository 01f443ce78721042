//! Connectors, from what they read to what stands in a topic.

mod files;
mod files_crash;
mod folder;
