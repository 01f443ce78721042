//! The stores that pipelines of a file read and write.

use std::collections::BTreeMap;
use std::sync::Arc;

use efflux_storage::{BearerToken, Store, StoreOptions};
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::secret::Secret;
use crate::setting_fault::SettingFault;
use crate::stage_error::StageError;

/// The stores that pipelines read and write: the one that they run beside, and those that their
/// settings name, each opened once with each token.
#[derive(Debug)]
pub struct Stores {
    here: Store,
    others: Mutex<BTreeMap<Place, Arc<OnceCell<Store>>>>,
}

/// Where a store is, and who asks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    url: String,
    token: Option<String>,
}

/// The token is never shown.
impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
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

    /// All that is wrong with what settings say of a store, without asking it.
    pub(super) fn faults(url: Option<&str>, token: Option<&Secret>) -> Vec<SettingFault> {
        let of_url = url.and_then(|url| Store::check_url(url).err());
        let of_url = of_url.map(|error| SettingFault::of("store", error.to_string()));
        let is_node = url.is_some_and(|url| url.starts_with("http"));
        let of_token = (token.is_some() && !is_node).then(|| {
            let what = "a token is for a store on a node: name it, as in \
                        `store = \"https://HOST:PORT\"`";
            SettingFault::lack(what).within("token")
        });
        of_url.into_iter().chain(of_token).collect()
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
        let place = Place {
            url: url.to_owned(),
            token: token.map(|token| token.expose().to_owned()),
        };
        let cell = Arc::clone(self.others.lock().entry(place).or_default());
        let options = match token {
            Some(token) => StoreOptions::default().with_token(BearerToken::new(token.expose())),
            None => StoreOptions::default(),
        };
        // Who wants another store does not wait for this one.
        let opened = cell
            .get_or_try_init(|| Store::open_with(url, options))
            .await;
        Ok(opened?.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_store_is_opened_once_with_each_token() {
        let stores = Stores::beside(Store::open("mem:").await.unwrap());
        let place = tempfile::tempdir().unwrap();
        let url = format!("file:{}", place.path().display());
        let open = async |token: Option<&str>| {
            let token = token.map(Secret::new);
            stores.open(Some(&url), token.as_ref()).await
        };
        // A folder has one owner: opening it twice would be refused.
        open(None).await.unwrap();
        open(None).await.unwrap();
        assert_eq!(stores.others.lock().len(), 1);
        let other = open(Some("s3cret")).await;
        assert_eq!(stores.others.lock().len(), 2, "{other:?}");
        assert!(!format!("{stores:?}").contains("s3cret"));
    }

    #[cfg(feature = "remote")]
    #[tokio::test]
    async fn a_store_that_does_not_answer_keeps_no_other_waiting() {
        let stores = Stores::beside(Store::open("mem:").await.unwrap());
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        let place = tempfile::tempdir().unwrap();
        let there = format!("file:{}", place.path().display());
        let waiting = stores.open(Some(&url), None);
        let opened = stores.open(Some(&there), None);
        tokio::select! {
            biased;
            _ = waiting => panic!("nobody answers"),
            opened = opened => drop(opened.unwrap()),
        }
    }
}
