//! Scans, against hashing and summing the same bytes.

use efflux_node::storage::Progress;

use super::{Bench, EFFLUX};
use crate::Result;
use crate::measure::{Lane, Measured, Outcome};

impl Bench<'_> {
    fn hashing(&self) -> Lane<'_> {
        Lane::new("hash, one core", || {
            Outcome::timed(|| Ok(self.file.hash_all()))
        })
    }

    fn summing(&self) -> Lane<'_> {
        Lane::new("CRC of the file", || {
            Outcome::timed(|| self.file.checksum_all())
        })
    }

    pub(super) fn scan_hashed(&self) -> Result<Measured> {
        let scan = || self.data.scan_hashed(self.data.records);
        let run = || Outcome::timed(|| self.runtime.block_on(scan()));
        let lanes = vec![self.hashing(), Lane::new(EFFLUX, run)];
        self.measure("scan-hashed", Some(0.9), lanes)
    }

    pub(super) fn scan_raw(&self) -> Result<Measured> {
        let scan = || self.data.scan_raw(self.data.records);
        let run = || Outcome::timed(|| self.runtime.block_on(scan()));
        let lanes = vec![self.summing(), Lane::new(EFFLUX, run)];
        self.measure("scan-raw", Some(0.7), lanes)
    }

    pub(super) fn scan_cheap(&self) -> Result<Measured> {
        let scan = || self.data.scan(self.data.records);
        let run = || Outcome::timed(|| self.runtime.block_on(scan()));
        let lanes = vec![self.summing(), Lane::new(EFFLUX, run)];
        self.measure("scan-cheap", None, lanes)
    }

    pub(super) fn verify(&self) -> Result<Measured> {
        let run = || {
            Outcome::timed(|| {
                let verified = self.data.topic.verify(Progress::default());
                Ok(self.runtime.block_on(verified)?.particles)
            })
        };
        let hashing = || Outcome::timed(|| self.file.hash_all_on(self.cores));
        let lanes = vec![
            self.hashing(),
            Lane::new(EFFLUX, run),
            Lane::new("hash, all cores", hashing),
        ];
        let name = format!("verify on {} cores", self.cores);
        self.measure(&name, Some(0.9), lanes)
    }
}
