//! A node for one trial.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::project::Project;
use crate::{Result, process};

/// Who may use the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Everyone on this machine.
    Everyone,
    /// Who has the token.
    Token,
}

/// A node that runs until it is stopped.
pub(super) struct Node {
    child: Child,
    url: String,
    token: Option<String>,
    folder: PathBuf,
}

impl Node {
    /// Starts a node on a free port, with an empty store.
    pub(super) fn start(project: &Project, access: Access) -> Result<Self> {
        let folder = project.target.join("interface").join(format!("{access:?}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let program = project.target.join("debug").join("efflux");
        let tokens = folder.join("tokens.toml");
        let token = match access {
            Access::Everyone => None,
            Access::Token => Some(made_token(project, &program, &tokens)?),
        };
        let mut command = project.command(&program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--store"]);
        command.arg(format!("file:{}", folder.join("store").display()));
        if token.is_some() {
            command.arg("--tokens").arg(&tokens);
        }
        command.current_dir(&folder);
        let (child, url) = started(command)?;
        Ok(Self {
            child,
            url,
            token,
            folder,
        })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Asks the node to end; it fails when the node ended before, or does not end well.
    pub(super) fn stop(mut self) -> Result {
        let ended = self.child.try_wait().map_err(|error| error.to_string())?;
        if let Some(status) = ended {
            return Err(format!("the node ended while it was tried: {status}"));
        }
        let pid = self.child.id().to_string();
        process::run(Command::new("kill").args(["-TERM", &pid]))?;
        let status = self.child.wait().map_err(|error| error.to_string())?;
        match status.success() {
            true => Ok(()),
            false => Err(format!("the node did not end well: {status}")),
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // One that was stopped is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes a token that may do everything.
fn made_token(project: &Project, program: &Path, tokens: &Path) -> Result<String> {
    let mut command = project.command(program);
    command
        .args(["token", "create", "trial", "--tokens"])
        .arg(tokens);
    for action in ["read", "append", "consume", "admin"] {
        command.args(["--allow", &format!("{action}:*")]);
    }
    Ok(process::output(&mut command)?.trim().to_owned())
}

/// Starts the program and reads from its first note where it listens.
fn started(mut command: Command) -> Result<(Child, String)> {
    println!("$ {}", process::describe(&command));
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("the node cannot be started: {error}"))?;
    let notes = child.stderr.take().ok_or("the node has no output")?;
    let mut lines = BufReader::new(notes).lines();
    let url = lines
        .by_ref()
        .map_while(std::result::Result::ok)
        .find_map(|line| {
            let at = line.find("http://")?;
            line.get(at..)?.split_whitespace().next().map(str::to_owned)
        });
    // What else it writes is read, so that it is never held up.
    thread::spawn(move || lines.for_each(drop));
    url.map(|url| (child, url))
        .ok_or_else(|| "the node ended before it said where it listens".to_owned())
}
