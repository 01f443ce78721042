//! Stages that speak HTTP through TLS: whom they believe, and that nobody else is told anything.

#![cfg(test)]

mod refusals;
mod service;
