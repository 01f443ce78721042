//! The stores that pipelines of a file read and write.

use std::collections::BTreeMap;

use efflux_storage::{BearerToken, Store, StoreOptions};
use tokio::sync::Mutex;

use crate::secret::Secret;
use crate::stage_error::StageError;

/// The stores that pipelines read and write: the one that they run beside, and those that their
/// settings name, each opened once.
#[derive(Debug)]
pub struct Stores {
    here: Store,
    others: Mutex<BTreeMap<String, Store>>,
}

impl Stores {
    /// The store that pipelines run beside.
    #[must_use]
    pub fn beside(here: Store) -> Self {
        Self {
            here,
            others: Mutex::default(),
        }
    }

    /// The store that pipelines run beside.
    #[must_use]
    pub const fn here(&self) -> &Store {
        &self.here
    }

    /// A name for a run, which no other run of this store is called.
    pub(super) fn run(&self) -> String {
        let now = self.here.clock().now().nanos();
        format!("{now}-{}", std::process::id())
    }

    /// The store at this URL; the one that pipelines run beside for none.
    pub(super) async fn open(
        &self,
        url: Option<&str>,
        token: Option<&Secret>,
    ) -> Result<Store, StageError> {
        let Some(url) = url.filter(|url| *url != self.here.url()) else {
            return Ok(self.here.clone());
        };
        let mut others = self.others.lock().await;
        if let Some(store) = others.get(url) {
            return Ok(store.clone());
        }
        let options = match token {
            Some(token) => StoreOptions::default().with_token(BearerToken::new(token.expose())),
            None => StoreOptions::default(),
        };
        let store = Store::open_with(url, options).await?;
        others.insert(url.to_owned(), store.clone());
        Ok(store)
    }
}
