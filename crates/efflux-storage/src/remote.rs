//! Stores that a node hosts: the protocol, and the backend that speaks it.

pub mod wire;
