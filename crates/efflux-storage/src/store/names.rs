//! Names of topics that are being made, opened or deleted: each by one caller at a time, whatever is
//! done to others.

use std::collections::BTreeMap;
use std::sync::Arc;

use efflux_particle::TopicName;
use parking_lot::Mutex;
use tokio::sync::{OwnedMutexGuard, RwLock, RwLockReadGuard};

type Lock = Arc<tokio::sync::Mutex<()>>;

/// The names that somebody holds or waits for.
#[derive(Debug, Default)]
pub(super) struct Names {
    held: Mutex<BTreeMap<TopicName, Lock>>,
    /// Shared by all who hold a name.
    some: RwLock<()>,
}

/// A name that nobody else holds until this is dropped.
#[derive(Debug)]
pub(super) struct HeldName<'a> {
    names: &'a Names,
    name: TopicName,
    guard: Option<OwnedMutexGuard<()>>,
    _some: RwLockReadGuard<'a, ()>,
}

impl Names {
    /// Waits until nobody else holds this name.
    pub(super) async fn hold(&self, name: &TopicName) -> HeldName<'_> {
        let some = self.some.read().await;
        let lock = Arc::clone(self.held.lock().entry(name.clone()).or_default());
        // From here on the name is let go when this is dropped, waiting or not.
        let mut held = HeldName {
            names: self,
            name: name.clone(),
            guard: None,
            _some: some,
        };
        held.guard = Some(lock.lock_owned().await);
        held
    }

    /// Returns when none of the names is held that are held now.
    pub(super) async fn all_free(&self) {
        drop(self.some.write().await);
    }
}

impl Drop for HeldName<'_> {
    fn drop(&mut self) {
        let mut held = self.names.held.lock();
        self.guard = None;
        // Others take the lock out of the map while they wait for it or hold it.
        if held
            .get(&self.name)
            .is_some_and(|it| Arc::strong_count(it) == 1)
        {
            held.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes at once, if it does.
    async fn at_once<T>(what: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            it = what => Some(it),
            () = std::future::ready(()) => None,
        }
    }

    #[tokio::test]
    async fn a_name_is_held_by_one_and_others_go_on() {
        let names = Names::default();
        let (one, other) = ("one".parse().unwrap(), "other".parse().unwrap());
        let held = names.hold(&one).await;
        assert!(at_once(names.hold(&other)).await.is_some());
        assert!(at_once(names.hold(&one)).await.is_none());
        assert!(at_once(names.all_free()).await.is_none());
        drop(held);
        assert!(at_once(names.hold(&one)).await.is_some());
        assert!(at_once(names.all_free()).await.is_some());
        assert!(names.held.lock().is_empty());
    }
}
