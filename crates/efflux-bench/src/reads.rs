//! The rows that read: scans, gets, finds, a consumer, opening.

use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use efflux_node::particle::{Id, Sequence};
use efflux_node::storage::{Consumer, ConsumerOptions, FindOptions, Progress, Query, Store, Sync};
use tokio::runtime::Runtime;

use crate::dataset::{Dataset, Frames, TOPIC};
use crate::measure::{Lane, Measured, Outcome, Row, measure};
use crate::workload::{Second, Workload, data_type};
use crate::{Result, alternatives};

const PAYLOAD_BYTES: usize = 1024;
/// Gets of one run.
const GETS: u64 = 10_000;
/// Finds of one run.
const FINDS: u64 = 50;
const FIND_LIMIT: usize = 100;
/// Records that a consumer receives and commits in one run.
const CONSUMED: u64 = 20_000;
const CONSUMER_BATCH: usize = 100;
/// Far from each other, and no multiple of anything.
const STEP: u64 = 7919;

pub(crate) const NAMES: &[&str] = &[
    "scan-hashed",
    "scan-cheap",
    "verify",
    "get",
    "get-id",
    "find-kind",
    "find-group",
    "consumer-os",
    "consumer-always",
    "open",
];

/// What the rows share while they are measured.
struct Bench<'a> {
    runtime: &'a Runtime,
    data: Dataset,
    frames: Frames,
    workload: Workload,
    folder: &'a Path,
    rounds: usize,
}

/// Measures the rows of which `is_wanted` tells.
pub(crate) fn measure_all(
    folder: &Path,
    runtime: &Runtime,
    (records, rounds): (u64, usize),
    is_wanted: &dyn Fn(&str) -> bool,
    show: &mut dyn FnMut(Measured),
) -> Result<()> {
    if !NAMES.iter().any(|name| is_wanted(name)) {
        return Ok(());
    }
    let own = tempfile::tempdir_in(folder)?;
    let workload = Workload::new(PAYLOAD_BYTES);
    let store = own.path().join("store");
    let data = runtime.block_on(Dataset::append(&store, &workload, records, Sync::Os))?;
    let bench = Bench {
        runtime,
        frames: Frames::write(own.path(), &workload, records)?,
        data,
        workload,
        folder: own.path(),
        rounds,
    };
    for &name in NAMES.iter().filter(|name| is_wanted(name)) {
        if let Some(measured) = bench.row(name)? {
            show(measured);
        }
    }
    Ok(())
}

impl Bench<'_> {
    /// Measures a row; none when what it is held against was not built.
    fn row(&self, name: &str) -> Result<Option<Measured>> {
        let has_alternatives = !alternatives::NAMES.is_empty();
        match name {
            "scan-hashed" => self.scan_hashed().map(Some),
            "scan-cheap" => self.scan_cheap().map(Some),
            "verify" => self.verify().map(Some),
            "get" => self.get().map(Some),
            "consumer-os" => self
                .consumer("consumer-os", &self.data, Some(0.5))
                .map(Some),
            "consumer-always" => self.consumer_always().map(Some),
            "get-id" if has_alternatives => self.get_id().map(Some),
            "find-kind" if has_alternatives => self.find(Second::Kind).map(Some),
            "find-group" if has_alternatives => self.find(Second::Group).map(Some),
            "open" if has_alternatives => self.open().map(Some),
            _ => Ok(None),
        }
    }

    fn measure(&self, name: &str, goal: Option<f64>, lanes: Vec<Lane<'_>>) -> Result<Measured> {
        let name = format!("{name} of {} x 1 KiB", self.data.records);
        measure(Row { name, goal, lanes }, self.rounds)
    }

    fn hashing(&self) -> Lane<'_> {
        Lane::new("hash, one core", || {
            Outcome::timed(|| Ok(self.frames.hash_all()))
        })
    }

    fn scan_hashed(&self) -> Result<Measured> {
        let run = || Outcome::timed(|| self.runtime.block_on(self.data.scan_hashed()));
        let lanes = vec![self.hashing(), Lane::new("efflux", run)];
        self.measure("scan-hashed", Some(0.9), lanes)
    }

    fn scan_cheap(&self) -> Result<Measured> {
        let plain = || Outcome::timed(|| self.frames.checksum_all());
        let scan = || self.data.scan(self.data.records);
        let run = || Outcome::timed(|| self.runtime.block_on(scan()));
        let lanes = vec![
            Lane::new("CRC of the file", plain),
            Lane::new("efflux", run),
        ];
        self.measure("scan-cheap", Some(0.7), lanes)
    }

    fn verify(&self) -> Result<Measured> {
        let run = || {
            Outcome::timed(|| {
                let verified = self.data.topic.verify(Progress::default());
                Ok(self.runtime.block_on(verified)?.particles)
            })
        };
        self.measure(
            "verify",
            Some(0.9),
            vec![self.hashing(), Lane::new("efflux", run)],
        )
    }

    /// The numbers of the records that gets ask for.
    fn numbers(&self) -> impl Iterator<Item = u64> {
        let records = self.data.records;
        (0..GETS).map(move |at| 1 + at.wrapping_mul(STEP) % records)
    }

    fn get(&self) -> Result<Measured> {
        let pread = || {
            Outcome::timed(|| {
                for number in self.numbers() {
                    std::hint::black_box(self.frames.read(number)?);
                }
                Ok(GETS)
            })
        };
        let efflux = || {
            Outcome::timed(|| {
                self.runtime.block_on(async {
                    for number in self.numbers() {
                        let found = self.data.topic.get(Sequence::new(number)).await?;
                        found.ok_or("a record is missing")?;
                    }
                    Ok(GETS)
                })
            })
        };
        let lanes = vec![Lane::new("pread", pread), Lane::new("efflux", efflux)];
        self.measure("get", Some(0.5), lanes)
    }

    fn get_id(&self) -> Result<Measured> {
        let ids = (1..=self.data.records).map(|number| (self.workload.record(number).id, number));
        let places = alternatives::Places::build(&self.folder.join("places"), ids)?;
        let asked: Vec<_> = self
            .numbers()
            .map(|number| self.workload.record(number).id)
            .collect();
        let plain = || {
            Outcome::timed(|| {
                for id in &asked {
                    std::hint::black_box(self.frames.read(places.get(id)?)?);
                }
                Ok(GETS)
            })
        };
        let efflux = || {
            Outcome::timed(|| {
                self.runtime.block_on(async {
                    for id in &asked {
                        let found = self.data.topic.get_id(&Id::from_uuid(*id)).await?;
                        found.ok_or("a record is missing")?;
                    }
                    Ok(GETS)
                })
            })
        };
        let lanes = vec![
            Lane::new("fjall get + pread", plain),
            Lane::new("efflux", efflux),
        ];
        self.measure("get-id", Some(0.67), lanes)
    }

    fn find(&self, second: Second) -> Result<Measured> {
        let folder = tempfile::tempdir_in(self.folder)?;
        let sqlite =
            alternatives::Searchable::build(folder.path(), &self.workload, self.data.records)?;
        let like = |at: u64| 1 + at.wrapping_mul(STEP) % self.data.records;
        let found = (Cell::new(0), Cell::new(0));
        let plain = || {
            Outcome::timed(|| {
                found.0.set(0);
                for at in 0..FINDS {
                    let count = sqlite.find(like(at), second, FIND_LIMIT)?;
                    found.0.set(found.0.get() + count);
                }
                Ok(FINDS)
            })
        };
        let efflux = || {
            Outcome::timed(|| {
                found.1.set(0);
                for at in 0..FINDS {
                    let count = self.runtime.block_on(self.find_like(like(at), second))?;
                    found.1.set(found.1.get() + count);
                }
                Ok(FINDS)
            })
        };
        let lanes = vec![
            Lane::new("sqlite, indexed", plain),
            Lane::new("efflux", efflux),
        ];
        let name = match second {
            Second::Kind => "find-kind",
            Second::Group => "find-group",
        };
        let measured = self.measure(name, Some(20.0), lanes)?;
        if found.0 == found.1 {
            return Ok(measured);
        }
        Err(format!(
            "{name}: SQLite found {} records, Efflux {}",
            found.0.get(),
            found.1.get()
        )
        .into())
    }

    async fn find_like(&self, like: u64, second: Second) -> Result<u64> {
        let other = match second {
            Second::Kind => Query::property("kind", second.of(like)),
            Second::Group => Query::message_group(second.of(like)),
        };
        let query = Query::data_type(data_type(like)).and(other);
        let options = FindOptions::default().with_limit(FIND_LIMIT);
        let mut finder = self.data.topic.find(&query, options).await?;
        let mut count = 0;
        loop {
            let batch = finder.next_batch().await?;
            if batch.is_empty() {
                return Ok(count);
            }
            count += batch.len() as u64;
        }
    }

    fn consumer_always(&self) -> Result<Measured> {
        let folder = self.folder.join("always");
        let append = Dataset::append(&folder, &self.workload, CONSUMED, Sync::Always);
        let data = self.runtime.block_on(append)?;
        self.consumer("consumer-always", &data, None)
    }

    fn consumer(&self, name: &str, data: &Dataset, goal: Option<f64>) -> Result<Measured> {
        let most = data.records.min(CONSUMED);
        let scan = || Outcome::timed(|| self.runtime.block_on(data.scan(most)));
        let mut consumers = (1..).map(|number| format!("consumer-{number}"));
        let consume = || {
            let name = consumers.next().unwrap_or_default().parse()?;
            let open = Consumer::open(&data.topic, &name, ConsumerOptions::default());
            let consumer = self.runtime.block_on(open)?;
            let outcome = Outcome::timed(|| self.runtime.block_on(consume(&consumer, most)));
            self.runtime
                .block_on(Consumer::delete(&data.topic, &name))?;
            outcome
        };
        let lanes = vec![Lane::new("efflux scan", scan), Lane::new("efflux", consume)];
        self.measure(name, goal, lanes)
    }

    /// Closes the store, so this is the last row.
    fn open(&self) -> Result<Measured> {
        self.runtime.block_on(self.data.store.close())?;
        let folder = self.folder.join("opened");
        alternatives::open_and_close(&folder)?;
        let fjall = || Outcome::timed(|| alternatives::open_and_close(&folder).map(|()| 1));
        let efflux = || {
            let open = async {
                let store = Store::open(&self.data.url).await?;
                let topic = store.topic(&TOPIC.parse()?).await?;
                Ok::<_, Box<dyn std::error::Error + Send + std::marker::Sync>>((store, topic))
            };
            let mut opened = None;
            let outcome = Outcome::timed(|| {
                opened = Some(self.runtime.block_on(open)?);
                Ok(1)
            });
            if let Some((store, _topic)) = opened {
                self.runtime.block_on(store.close())?;
            }
            outcome
        };
        let lanes = vec![
            Lane::new("fjall open, close", fjall),
            Lane::new("efflux open", efflux),
        ];
        self.measure("open", None, lanes)
    }
}

async fn consume(consumer: &Consumer, most: u64) -> Result<u64> {
    let mut count = 0;
    while count < most {
        let received = consumer
            .receive(CONSUMER_BATCH, Duration::from_secs(5))
            .await?;
        if received.is_empty() {
            break;
        }
        let tickets: Vec<_> = received.iter().map(|delivery| delivery.ticket).collect();
        consumer.commit(&tickets).await?;
        count += tickets.len() as u64;
    }
    Ok(count)
}
