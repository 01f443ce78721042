//! Declared pipelines, run by the built program beside real servers.

#![cfg(test)]

mod commands;
mod compressed;
mod examples;
mod hosted;
mod killed;
mod node;
mod place;
mod remote;
mod webhooks;
