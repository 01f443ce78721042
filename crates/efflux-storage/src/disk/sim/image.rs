//! All files and folders of a simulated disk.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::contents::Contents;
use super::machine::is_derived;
use super::random::Random;

/// A file or folder, whatever name it has at the moment.
pub(super) type Node = u64;

const ROOT: Node = 0;
/// The first node of derived files, which are made in the background at any time: they have numbers
/// and chances of their own, so that those of all others follow from the seed.
const DERIVED: Node = 1 << 32;

/// Files and folders, and the names they have.
#[derive(Clone, Debug)]
pub(super) struct Image {
    folders: BTreeMap<Node, Folder>,
    files: BTreeMap<Node, Contents>,
    next: Node,
    next_derived: Node,
}

/// The names in a folder: those that programs see, and those that a power cut leaves.
#[derive(Clone, Debug, Default)]
struct Folder {
    live: BTreeMap<String, Node>,
    durable: BTreeMap<String, Node>,
    unsynced: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Add { name: String, node: Node },
    Remove { name: String },
    Rename { from: String, to: String },
}

impl Change {
    fn is_derived(&self) -> bool {
        let (Self::Add { name, .. } | Self::Remove { name } | Self::Rename { from: name, .. }) =
            self;
        is_derived(Path::new(name))
    }

    fn apply(&self, names: &mut BTreeMap<String, Node>) {
        match self {
            Self::Add { name, node } => {
                names.insert(name.clone(), *node);
            }
            Self::Remove { name } => {
                names.remove(name);
            }
            Self::Rename { from, to } => {
                if let Some(node) = names.remove(from) {
                    names.insert(to.clone(), node);
                }
            }
        }
    }
}

impl Folder {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.live);
        self.unsynced.push(change);
    }

    fn sync(&mut self) {
        for change in std::mem::take(&mut self.unsynced) {
            change.apply(&mut self.durable);
        }
    }

    /// The folder after a power cut: a file system journals names in order.
    fn after_power_cut(&self, random: &mut Random) -> BTreeMap<String, Node> {
        let mut names = self.durable.clone();
        let changes = self.unsynced.iter();
        let (derived, others): (Vec<_>, Vec<_>) = changes.partition(|change| change.is_derived());
        let kept = match random.below(3) {
            0 => 0,
            1 => others.len(),
            _ => random.at_most(others.len()),
        };
        for change in &derived {
            change.apply(&mut names);
        }
        for change in others.iter().take(kept) {
            change.apply(&mut names);
        }
        names
    }
}

impl Default for Image {
    fn default() -> Self {
        Self {
            folders: BTreeMap::from([(ROOT, Folder::default())]),
            files: BTreeMap::new(),
            next: ROOT + 1,
            next_derived: DERIVED,
        }
    }
}

fn parts(path: &Path) -> Vec<String> {
    let part = |component: Component<'_>| match component {
        Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
        _ => None,
    };
    path.components().filter_map(part).collect()
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Image {
    fn child(&self, folder: Node, name: &str) -> Option<Node> {
        self.folders.get(&folder)?.live.get(name).copied()
    }

    pub(super) fn find(&self, path: &Path) -> Option<Node> {
        parts(path)
            .iter()
            .try_fold(ROOT, |at, name| self.child(at, name))
    }

    /// The folder a path stands in, and its last name.
    fn place(&mut self, path: &Path) -> io::Result<(&mut Folder, String)> {
        let name = parts(path).pop().ok_or(io::ErrorKind::InvalidInput)?;
        let above = path.parent().and_then(|above| self.find(above));
        let folder = above.and_then(|above| self.folders.get_mut(&above));
        Ok((folder.ok_or_else(not_found)?, name))
    }

    fn new_node(&mut self, is_derived: bool) -> Node {
        let next = match is_derived {
            true => &mut self.next_derived,
            false => &mut self.next,
        };
        *next += 1;
        *next - 1
    }

    pub(super) fn find_file(&self, path: &Path) -> io::Result<Node> {
        let node = self.find(path).ok_or_else(not_found)?;
        match self.files.contains_key(&node) {
            true => Ok(node),
            false => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    pub(super) fn file(&mut self, node: Node) -> io::Result<&mut Contents> {
        self.files.get_mut(&node).ok_or_else(not_found)
    }

    pub(super) fn make_file(&mut self, path: &Path) -> io::Result<Node> {
        let node = self.new_node(is_derived(path));
        let (folder, name) = self.place(path)?;
        folder.change(Change::Add { name, node });
        self.files.insert(node, Contents::default());
        Ok(node)
    }

    /// Makes a folder and those above it.
    pub(super) fn make_folders(&mut self, path: &Path) -> io::Result<()> {
        let mut at = ROOT;
        for name in parts(path) {
            at = match self.child(at, &name) {
                Some(node) if self.folders.contains_key(&node) => node,
                Some(_) => return Err(io::ErrorKind::NotADirectory.into()),
                None => {
                    let node = self.new_node(false);
                    let folder = self.folders.get_mut(&at).ok_or_else(not_found)?;
                    folder.change(Change::Add { name, node });
                    self.folders.insert(node, Folder::default());
                    node
                }
            };
        }
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let node = self.find(from).ok_or_else(not_found)?;
        if from.parent() != to.parent() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let target = self.find(to);
        let is_taken = target.is_some_and(|target| {
            let folder = self.folders.get(&target);
            folder.map_or(self.folders.contains_key(&node), |folder| {
                !folder.live.is_empty()
            })
        });
        if is_taken {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        let to = parts(to).pop().ok_or(io::ErrorKind::InvalidInput)?;
        let (folder, from) = self.place(from)?;
        folder.change(Change::Rename { from, to });
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.find(path).ok_or_else(not_found)?;
        let (folder, name) = self.place(path)?;
        folder.change(Change::Remove { name });
        Ok(())
    }

    pub(super) fn names(&self, path: &Path) -> io::Result<Vec<String>> {
        let node = self.find(path).ok_or_else(not_found)?;
        let folder = self.folders.get(&node).ok_or(io::ErrorKind::NotADirectory);
        Ok(folder?.live.keys().cloned().collect())
    }

    pub(super) fn sync_folder(&mut self, path: &Path) -> io::Result<()> {
        let node = self.find(path).ok_or_else(not_found)?;
        let folder = self.folders.get_mut(&node).ok_or_else(not_found)?;
        folder.sync();
        Ok(())
    }

    /// All files by path, with their lengths.
    pub(super) fn list_files(&self) -> Vec<(String, usize)> {
        let mut found = Vec::new();
        self.collect(ROOT, "", &mut found);
        found
    }

    /// Where a file stands, which may have another name than the one it was opened by.
    pub(super) fn path_of(&self, node: Node) -> Option<PathBuf> {
        let mut folders = vec![(ROOT, PathBuf::from("/"))];
        while let Some((at, path)) = folders.pop() {
            for (name, child) in &self.folders.get(&at)?.live {
                if *child == node {
                    return Some(path.join(name));
                }
                if self.folders.contains_key(child) {
                    folders.push((*child, path.join(name)));
                }
            }
        }
        None
    }

    fn collect(&self, node: Node, path: &str, found: &mut Vec<(String, usize)>) {
        if let Some(file) = self.files.get(&node) {
            found.push((path.to_owned(), file.live().len()));
        }
        let folder = self.folders.get(&node);
        for (name, child) in folder.iter().flat_map(|folder| &folder.live) {
            self.collect(*child, &format!("{path}/{name}"), found);
        }
    }

    /// The bytes of all files but derived ones, removed ones that are still open left out.
    pub(super) fn bytes(&self) -> usize {
        let files = self.list_files();
        let counted = files
            .iter()
            .filter(|(path, _)| !is_derived(Path::new(path)));
        counted.map(|(_, bytes)| bytes).sum()
    }

    /// What a power cut leaves: what was synced, and any part of what was not.
    pub(super) fn after_power_cut(&self, random: &mut Random) -> Self {
        let mut after = Self {
            next: self.next,
            next_derived: self.next_derived,
            ..Self::default()
        };
        let mut reached = vec![ROOT];
        while let Some(node) = reached.pop() {
            if let Some(file) = self.files.get(&node) {
                let mut own = Random::new(node);
                let random = if node < DERIVED {
                    &mut *random
                } else {
                    &mut own
                };
                after.files.insert(node, file.after_power_cut(random));
            }
            if let Some(folder) = self.folders.get(&node) {
                let live = folder.after_power_cut(random);
                reached.extend(live.values());
                let folder = Folder {
                    durable: live.clone(),
                    live,
                    unsynced: Vec::new(),
                };
                after.folders.insert(node, folder);
            }
        }
        after
    }
}
