//! A node: `efflux serve`, the program that stands beside this one.

use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::process::{Process, free_port};

/// A node that runs until this is dropped.
pub(super) struct Node {
    process: Process,
}

impl Node {
    /// Starts a node that hosts the store in this folder, made when it is not there.
    pub(super) fn start(store: &Path) -> Result<Self> {
        let program = std::env::current_exe()?.with_file_name("efflux");
        if !program.is_file() {
            let why = "the program `efflux` does not stand beside this one: `cargo xtask bench` \
                       builds both";
            return Err(why.into());
        }
        let port = free_port()?;
        let mut command = Command::new(program);
        // Settings of whoever measures are no part of it.
        command.env_clear().arg("serve");
        command
            .arg("--store")
            .arg(format!("file:{}", store.display()));
        command.arg("--listen").arg(format!("127.0.0.1:{port}"));
        let process = Process::start(&mut command, port)
            .map_err(|error| format!("the node does not start: {error}"))?;
        Ok(Self { process })
    }

    /// The URL of its store.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.process.port())
    }
}
