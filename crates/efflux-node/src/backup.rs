//! Backups: topics in a folder of frames, and back into a store.
//!
//! ```text
//! Store ─ Audit ─ frames ─▶ topics/NAME/FIRST-LAST.frames ─▶ MANIFEST.json     take
//!   ▲                                     │                        │
//!   └───── Restoration ◀─ frames ◀────────┴──── check ◀────────────┘           check, restore
//! ```
//!
//! A backup is taken beside a writer, adds what is new each time, and checks every particle as it
//! comes in. What a manifest says is checked in full before a store is touched.
//! `docs/backup-format.md` describes the files.
//!
//! ```
//! use efflux_node::backup::Backup;
//! use efflux_node::particle::Message;
//! use efflux_node::storage::{Progress, Store, TopicOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path().join("backup");
//! let store = Store::open("mem:").await?;
//! let orders = store.create_topic(&"orders".parse()?, TopicOptions::default()).await?;
//! orders.append(Message::new("first")).await?;
//!
//! let taken = Backup::open_or_create(&folder)?.take(&store, &[], &Progress::default()).await?;
//! assert!(taken.refused.is_empty());
//!
//! let other = Store::open("mem:").await?;
//! let backup = Backup::open(&folder)?;
//! let checked = backup.check(&[], &Progress::default()).await?;
//! checked.restore(&other, &Progress::default()).await?;
//! assert_eq!(other.topic(orders.name()).await?.head(), orders.head());
//! # Ok(())
//! # }
//! ```

mod limits;

mod digest;

mod pace;

mod entry;

mod manifest;

mod reading;

mod writing;

mod folder;

mod extend;

mod take;

mod check;

mod restore;

pub use check::{Checked, CheckedTopic};
pub use folder::Backup;
pub use restore::Restored;
pub use take::{Taken, TakenTopic};
