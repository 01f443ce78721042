//! The simulated disk behind the seam.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::SimDisk;
use super::contents::SECTOR_BYTES;
use super::image::Node;
use super::machine::{Fate, is_derived};
use super::random::Random;
use crate::disk::{Disk, DiskFile, LockGuard};

/// An open file of a simulated disk.
#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    path: PathBuf,
    node: Node,
}

#[derive(Debug)]
struct SimLock {
    disk: SimDisk,
    path: PathBuf,
}

impl LockGuard for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.disk.machine.look();
        // A lock of an earlier life went with its process; another process may have it now.
        if state.life == self.disk.life {
            state.locks.remove(&self.path);
        }
    }
}

impl SimDisk {
    fn file(&self, path: &Path, node: Node) -> Arc<dyn DiskFile> {
        Arc::new(SimFile {
            disk: self.clone(),
            path: path.to_owned(),
            node,
        })
    }

    /// Changes names: done, not done, or either when the machine stops.
    fn change_names(
        &self,
        what: &str,
        path: &Path,
        change: impl FnOnce(&mut super::image::Image) -> io::Result<()>,
    ) -> io::Result<()> {
        let (mut state, fate) = self.machine.change(self.life, what, path)?;
        if fate == Fate::Done || (fate == Fate::Crashes && state.random.chance(50)) {
            change(&mut state.image)?;
        }
        fate.answer()
    }

    fn remove_all(&self, path: &Path) -> io::Result<()> {
        for name in Disk::list(self, path)? {
            let inner = path.join(name);
            let is_folder = self.machine.read(self.life)?.image.names(&inner).is_ok();
            if is_folder {
                self.remove_all(&inner)?;
            } else {
                Disk::remove(self, &inner)?;
            }
        }
        self.change_names("remove folder", path, |image| image.remove(path))
    }
}

#[deny(clippy::missing_trait_methods)]
impl Disk for SimDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let node = self.machine.read(self.life)?.image.find_file(path)?;
        Ok(self.file(path, node))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let found = self.machine.read(self.life)?.image.find(path);
        if found.is_none() {
            self.change_names("create", path, |image| image.make_file(path).map(drop))?;
        }
        self.open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change_names("rename", from, |image| image.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.machine.read(self.life)?.image.find_file(path)?;
        self.change_names("remove", path, |image| image.remove(path))
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.remove_all(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        if self.machine.read(self.life)?.image.names(path).is_ok() {
            return Ok(());
        }
        self.change_names("create folder", path, |image| image.make_folders(path))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.machine.read(self.life)?.image.names(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.change_names("sync folder", path, |image| image.sync_folder(path))
    }

    fn exists(&self, path: &Path) -> bool {
        let state = self.machine.read(self.life);
        state.is_ok_and(|state| state.image.find(path).is_some())
    }

    fn lock(&self, path: &Path, note: &str) -> io::Result<Option<Box<dyn LockGuard>>> {
        let file = self.create(path)?;
        let is_new = self.machine.read(self.life)?.locks.insert(path.to_owned());
        if !is_new {
            return Ok(None);
        }
        let guard = SimLock {
            disk: self.clone(),
            path: path.to_owned(),
        };
        file.set_len(0)?;
        file.write_at(note.as_bytes(), 0)?;
        Ok(Some(Box::new(guard)))
    }

    fn room(&self, _: &Path) -> io::Result<u64> {
        Ok(u64::MAX)
    }

    fn boot(&self) -> Option<[u8; 16]> {
        let boots = self.machine.look().boots;
        let mut boot = [0xB0; 16];
        for (place, byte) in boot.iter_mut().zip(boots.to_le_bytes()) {
            *place = byte;
        }
        Some(boot)
    }

    fn real_path(&self, _path: &Path) -> Option<PathBuf> {
        None
    }
}

/// How much of a write is done when it is interrupted: any number of bytes; of a write within one
/// sector, all or nothing.
fn part_of(length: usize, start: usize, random: &mut Random) -> usize {
    let is_in_one_sector =
        start / SECTOR_BYTES == (start + length).saturating_sub(1) / SECTOR_BYTES;
    match is_in_one_sector {
        true if random.chance(50) => length,
        true => 0,
        false => random.at_most(length),
    }
}

impl SimFile {
    /// The name the file has at the moment; the one it was opened by when it was removed.
    fn path(&self) -> PathBuf {
        let state = self.disk.machine.look();
        let path = state.image.path_of(self.node);
        path.unwrap_or_else(|| self.path.clone())
    }
}

fn place(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

#[deny(clippy::missing_trait_methods)]
impl DiskFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.machine.read(self.disk.life)?;
        let start = place(offset)?;
        let length = state.image.file(self.node)?.live().len();
        let mut count = length.saturating_sub(start).min(buffer.len());
        if state.has_short_reads && count > 1 && state.random_of_reads.chance(50) {
            count = 1 + state.random_of_reads.at_most(count - 1);
        }
        let bytes = state.image.file(self.node)?.live();
        let read = bytes.get(start..start + count).unwrap_or_default();
        if let Some(place) = buffer.get_mut(..read.len()) {
            place.copy_from_slice(read);
        }
        Ok(read.len())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let (machine, path) = (&self.disk.machine, self.path());
        let (mut state, fate) = machine.change(self.disk.life, "write", &path)?;
        let start = place(offset)?;
        let count = match fate {
            Fate::Done => bytes.len(),
            Fate::Fails | Fate::Crashes => part_of(bytes.len(), start, &mut state.random),
        };
        let length = state.image.file(self.node)?.live().len();
        let end = match is_derived(&path) {
            true => start + count,
            false => state.room_to_grow(length, start + count),
        };
        let fits = end.saturating_sub(start).min(count);
        let written = bytes.get(..fits).unwrap_or_default();
        if !written.is_empty() {
            state.image.file(self.node)?.write(start, written);
        }
        fate.answer()?;
        if fits < bytes.len() {
            return Err(state.refuse_space());
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let (machine, path) = (&self.disk.machine, self.path());
        let (mut state, fate) = machine.change(self.disk.life, "sync", &path)?;
        let mut random = match is_derived(&path) {
            true => Random::new(0),
            false => state.random.split(),
        };
        let operation = state.operations;
        let file = state.image.file(self.node)?;
        match fate {
            Fate::Done => file.sync(),
            Fate::Fails => file.fail_to_sync(&mut random),
            Fate::Crashes if random.chance(50) => file.sync(),
            Fate::Crashes => {}
        }
        if fate == Fate::Done
            && path.extension().is_some_and(|name| name == "seg")
            && let Some(folder) = path.parent()
        {
            state
                .segments_synced_at
                .insert(folder.to_owned(), operation);
        }
        fate.answer()
    }

    fn len(&self) -> io::Result<u64> {
        let mut state = self.disk.machine.read(self.disk.life)?;
        Ok(state.image.file(self.node)?.live().len() as u64)
    }

    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        let (machine, path) = (&self.disk.machine, self.path());
        let (mut state, fate) = machine.change(self.disk.life, "set length", &path)?;
        let wanted = place(bytes)?;
        let length = state.image.file(self.node)?.live().len();
        if !is_derived(&path) && state.room_to_grow(length, wanted) < wanted {
            return Err(state.refuse_space());
        }
        if fate == Fate::Done || (fate == Fate::Crashes && state.random.chance(50)) {
            state.image.file(self.node)?.set_len(wanted);
        }
        fate.answer()
    }
}
