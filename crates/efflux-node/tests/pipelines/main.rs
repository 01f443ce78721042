//! Declared pipelines, run by the built program beside real servers.

#![cfg(test)]

mod commands;
mod examples;
mod hosted;
mod killed;
mod place;
mod webhooks;
