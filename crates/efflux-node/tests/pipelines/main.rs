//! Declared pipelines, run by the built program beside real servers.

mod commands;
mod examples;
mod hosted;
mod killed;
mod place;
mod webhooks;
