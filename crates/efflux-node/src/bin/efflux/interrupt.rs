//! Ctrl-C: the first one asks the program to stop cleanly, the second one ends it.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::exit::{Exit, Failure};

/// Tells whether the user wants the program to stop.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    ask: watch::Sender<bool>,
}

impl Interrupt {
    /// Nobody has asked, and nothing is listened to.
    pub(crate) fn new() -> Self {
        let ask = watch::Sender::new(false);
        Self { ask }
    }

    /// Begins to listen to Ctrl-C and to the signals that ask a program to end.
    pub(crate) fn listen(&self) -> Result<(), Failure> {
        let interrupt = self.clone();
        ctrlc::set_handler(move || interrupt.ask()).map_err(|error| failure(&error.to_string()))
    }

    /// Begins to listen, on the runtime, to Ctrl-C and SIGTERM alone.
    pub(crate) fn listen_within_runtime(&self) -> Result<(), Failure> {
        for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
            let mut signals = signal(kind).map_err(|error| failure(&error.to_string()))?;
            let interrupt = self.clone();
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    interrupt.ask();
                }
            });
        }
        Ok(())
    }

    /// Notes that the user asks; the second time, the program ends here.
    fn ask(&self) {
        if self.ask.send_replace(true) {
            std::process::exit(i32::from(Exit::Interrupted.code()));
        }
    }

    /// Whether the user has asked.
    pub(crate) fn is_asked(&self) -> bool {
        *self.ask.borrow()
    }

    /// Returns when the user asks.
    pub(crate) async fn asked(&self) {
        let mut asked = self.ask.subscribe();
        if asked.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

fn failure(why: &str) -> Failure {
    Failure::new(Exit::Failure, format!("cannot listen to signals: {why}"))
}
