//! Ctrl-C: the first one asks the program to stop cleanly, the second one ends it.

use tokio::sync::watch;

use crate::exit::{Exit, Failure};

/// Tells whether the user wants the program to stop.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    asked: watch::Receiver<bool>,
}

impl Interrupt {
    /// Begins to listen to Ctrl-C and to the signals that ask a program to end.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let (ask, asked) = watch::channel(false);
        ctrlc::set_handler(move || {
            if ask.send_replace(true) {
                std::process::exit(i32::from(Exit::Interrupted.code()));
            }
        })
        .map_err(|error| {
            Failure::new(Exit::Failure, format!("cannot listen to signals: {error}"))
        })?;
        Ok(Self { asked })
    }

    /// Whether the user has asked.
    pub(crate) fn is_asked(&self) -> bool {
        *self.asked.borrow()
    }

    /// Returns when the user asks.
    pub(crate) async fn asked(&self) {
        let mut asked = self.asked.clone();
        if asked.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
