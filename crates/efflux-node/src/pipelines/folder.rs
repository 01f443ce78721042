//! A folder of files that declare pipelines.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use efflux_flow::pipeline::declared::Document;
use efflux_flow::pipeline::file::{Fault, Surroundings};

use super::host::Pipelines;

/// Bytes of one file: 1 MiB.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// A folder of files that declare pipelines: each `*.toml` in it, folders within not looked into.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

/// What reading a folder again came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// Pipelines that were started.
    pub started: Vec<String>,
    /// Pipelines that were stopped, because no file declares them any more.
    pub stopped: Vec<String>,
    /// Pipelines that were stopped and started, because they are declared otherwise.
    pub restarted: Vec<String>,
    /// What is wrong, each with the name of its file. The pipelines of such a file stay as they were.
    pub faults: Vec<String>,
}

impl Folder {
    /// The folder at this path.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the folder, and lets run what it declares: what came is started, what is gone is stopped,
    /// what is declared otherwise is started anew, and the rest is left alone. A file in which
    /// something is wrong changes nothing.
    ///
    /// # Errors
    /// The folder cannot be read. Nothing was changed.
    pub async fn load(
        &self,
        pipelines: &Pipelines,
        around: &(dyn Surroundings + Sync),
    ) -> io::Result<Reloaded> {
        let mut reloaded = Reloaded::default();
        let texts = self.texts(&mut reloaded.faults)?;
        let documents: Documents = texts
            .into_iter()
            .map(|(file, text)| (file, text.map(|text| Document::read(&text, around))))
            .collect();
        // What its file declares no more gives its name free for another file.
        let gone = gone(pipelines, &documents);
        for name in &gone {
            let _ = pipelines.remove(name).await;
        }
        for (file, document) in documents {
            let taken_in = match document {
                None => Ok(()),
                Some(Err(faults)) => Err(faults),
                Some(Ok(document)) => take_in(pipelines, &file, document, &mut reloaded).await,
            };
            if let Err(faults) = taken_in {
                let told = faults.iter().map(|fault| format!("{file}: {fault}"));
                reloaded.faults.extend(told);
            }
        }
        for name in gone {
            match reloaded.started.iter().position(|started| *started == name) {
                Some(at) => reloaded.restarted.push(reloaded.started.remove(at)),
                None => reloaded.stopped.push(name),
            }
        }
        Ok(reloaded)
    }

    /// The text of each file by its name; none for one that cannot be read.
    fn texts(&self, faults: &mut Vec<String>) -> io::Result<BTreeMap<String, Option<String>>> {
        let mut texts = BTreeMap::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            let is_toml = path.extension().is_some_and(|it| it == "toml");
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            if !is_toml || !path.is_file() {
                continue;
            }
            let text = text_of(&path).map_err(|error| faults.push(format!("{name}: {error}")));
            texts.insert(name.to_owned(), text.ok());
        }
        Ok(texts)
    }
}

/// What each file says; none of one that cannot be read.
type Documents = BTreeMap<String, Option<Result<Document, Vec<Fault>>>>;

/// The pipelines whose file is gone, or is right and declares them no more.
fn gone(pipelines: &Pipelines, documents: &Documents) -> Vec<String> {
    let is_declared = |file: &str, name: &str| match documents.get(file) {
        None => false,
        Some(Some(Ok(document))) => document.settings(name).is_some(),
        // What is wrong or cannot be read changes nothing.
        Some(Some(Err(_)) | None) => true,
    };
    let standing = pipelines.list().into_iter();
    let gone = standing.filter(|it| !is_declared(&it.file, &it.name));
    gone.map(|it| it.name).collect()
}

async fn take_in(
    pipelines: &Pipelines,
    file: &str,
    document: Document,
    reloaded: &mut Reloaded,
) -> Result<(), Vec<Fault>> {
    // A pipeline that is declared otherwise gives its name free, once the new text is right.
    let faults = pipelines.faults(file, &document);
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut changed = Vec::new();
    for name in document.names() {
        if let Some((its_file, before)) = pipelines.declared(name)
            && its_file == file
            && before.differs(&document, name)
        {
            changed.push(name.to_owned());
        }
    }
    for name in &changed {
        let _ = pipelines.remove(name).await;
    }
    let before: Vec<_> = pipelines.list().into_iter().map(|it| it.name).collect();
    let names = pipelines.take(file, document)?;
    for name in &names {
        if before.contains(name) {
            continue;
        }
        let _ = pipelines.start(name).await;
        match changed.contains(name) {
            true => reloaded.restarted.push(name.clone()),
            false => reloaded.started.push(name.clone()),
        }
    }
    Ok(())
}

/// The text of a file of pipelines.
///
/// # Errors
/// It cannot be read, is no text, or is too large.
pub(super) fn text_of(path: &Path) -> io::Result<String> {
    let bytes = fs::metadata(path)?.len();
    if bytes > FILE_BYTES_MAX {
        let what = format!("it has {bytes} bytes, at most {FILE_BYTES_MAX} are read");
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    fs::read_to_string(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipelines::State;
    use efflux_flow::storage::Store;

    fn none(_: &str) -> Option<String> {
        None
    }

    fn copy(name: &str, to: &str) -> String {
        format!(
            "version = 1\n[pipeline.{name}]\nconnector = {{ topic = {{ name = \"a\" }} }}\n\
             router = {{ topic = \"{to}\" }}\n"
        )
    }

    struct Scene {
        place: tempfile::TempDir,
        pipelines: Pipelines,
    }

    impl Scene {
        async fn new() -> Self {
            let store = Store::open("mem:").await.unwrap();
            Self {
                place: tempfile::tempdir().unwrap(),
                pipelines: Pipelines::beside(store),
            }
        }

        fn write(&self, file: &str, text: &str) {
            fs::write(self.place.path().join(file), text).unwrap();
        }

        async fn load(&self) -> Reloaded {
            let folder = Folder::new(self.place.path());
            folder.load(&self.pipelines, &none).await.unwrap()
        }

        fn states(&self) -> Vec<(String, State)> {
            let all = self.pipelines.list().into_iter();
            all.map(|it| (it.name, it.state)).collect()
        }
    }

    #[tokio::test]
    async fn a_pipeline_that_moves_to_another_file_goes_on() {
        let scene = Scene::new().await;
        scene.write("a.toml", &copy("one", "b"));
        scene.load().await;
        fs::remove_file(scene.place.path().join("a.toml")).unwrap();
        scene.write("b.toml", &copy("one", "b"));
        let reloaded = scene.load().await;
        assert_eq!(reloaded.restarted, ["one"]);
        assert!(reloaded.faults.is_empty() && reloaded.stopped.is_empty());
        let standing = scene.pipelines.standing("one").unwrap();
        assert_eq!(
            (standing.file.as_str(), standing.state),
            ("b.toml", State::Running)
        );
    }

    #[tokio::test]
    async fn what_comes_goes_and_changes_is_started_stopped_and_restarted() {
        let scene = Scene::new().await;
        scene.write("one.toml", &copy("one", "x"));
        scene.write("two.toml", &copy("two", "x"));
        scene.write("other.txt", "no pipelines");
        assert_eq!(scene.load().await.started, ["one", "two"]);
        assert_eq!(
            scene.load().await,
            Reloaded::default(),
            "nothing has changed"
        );

        scene.write("one.toml", &copy("one", "y"));
        fs::remove_file(scene.place.path().join("two.toml")).unwrap();
        scene.write("three.toml", &copy("three", "x"));
        let reloaded = scene.load().await;
        assert_eq!(reloaded.restarted, ["one"]);
        assert_eq!(reloaded.stopped, ["two"]);
        assert_eq!(reloaded.started, ["three"]);
        let running = |name: &str| (name.to_owned(), State::Running);
        assert_eq!(scene.states(), [running("one"), running("three")]);
        scene.pipelines.stop_all().await;
    }

    #[tokio::test]
    async fn a_file_that_takes_a_name_of_another_changes_nothing() {
        let scene = Scene::new().await;
        scene.write("one.toml", &copy("one", "x"));
        scene.write("two.toml", &copy("two", "x"));
        scene.load().await;
        let both = format!(
            "{}{}",
            copy("two", "y"),
            copy("one", "x").replace("version = 1\n", "")
        );
        scene.write("two.toml", &both);
        let reloaded = scene.load().await;
        assert!(
            reloaded.faults[0].contains("declared in one.toml already"),
            "{reloaded:?}"
        );
        assert!(
            reloaded.restarted.is_empty() && reloaded.stopped.is_empty(),
            "{reloaded:?}"
        );
        let running = |name: &str| (name.to_owned(), State::Running);
        assert_eq!(scene.states(), [running("one"), running("two")]);
        scene.pipelines.stop_all().await;
    }

    #[tokio::test]
    async fn a_file_in_which_something_is_wrong_changes_nothing() {
        let scene = Scene::new().await;
        scene.write("one.toml", &copy("one", "x"));
        scene.load().await;
        scene.write("one.toml", &copy("one", "no name"));
        let reloaded = scene.load().await;
        assert_eq!(reloaded.faults.len(), 1);
        assert!(
            reloaded.faults[0].starts_with("one.toml: line 4"),
            "{reloaded:?}"
        );
        assert_eq!(scene.states(), [("one".to_owned(), State::Running)]);
        scene.pipelines.stop_all().await;
    }
}
