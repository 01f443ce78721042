//! What a judge does in a round.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Verdict;
use crate::store::{Ran, Store, read, remove, write};

/// Changed bytes, cuts and removed files of a round.
const TAMPERED: u64 = 12;
const CUT: u64 = 4;
const REMOVED: u64 = 2;
const INTEGRITY: i32 = 5;

/// A judge, and what it was told.
#[derive(Debug)]
pub(crate) struct Judge {
    efflux: PathBuf,
    producers: PathBuf,
    folder: PathBuf,
    random: u64,
    /// Fingerprint and id by sequence.
    acknowledged: BTreeMap<u64, (String, String)>,
    checks: u64,
}

/// What is read of a store that is whole: a line for each particle.
type Lines = Vec<String>;

/// The text of a field in a line of JSON.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let start = format!("\"{name}\":");
    let rest = line.split_once(&start).map_or("", |(_, rest)| rest);
    let end = rest.find([',', '}']).unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default().trim_matches('"')
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

impl Judge {
    pub(crate) const fn new(
        efflux: PathBuf,
        producers: PathBuf,
        folder: PathBuf,
        seed: u64,
    ) -> Self {
        Self {
            efflux,
            producers,
            folder,
            random: seed,
            acknowledged: BTreeMap::new(),
            checks: 0,
        }
    }

    /// A number below `end` (`SplitMix64`).
    fn below(&mut self, end: usize) -> usize {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % (end.max(1) as u64)).unwrap_or(0)
    }

    /// Judges for so many rounds; how many checks there were.
    pub(crate) fn judge(mut self, rounds: u64) -> Verdict<u64> {
        let efflux = self.efflux.clone();
        let store = Store {
            efflux: &efflux,
            folder: self.folder.join("store"),
        };
        for round in 0..rounds {
            self.round(round, &store)
                .map_err(|problem| format!("round {round}: {problem}"))?;
        }
        Ok(self.checks)
    }

    fn round(&mut self, round: u64, store: &Store<'_>) -> Verdict {
        self.produce_and_kill(round, store)?;
        let lines = self.check_whole(store)?;
        for _ in 0..TAMPERED {
            self.tamper(store, &lines)?;
        }
        for _ in 0..CUT {
            self.cut(store)?;
        }
        for _ in 0..REMOVED {
            self.rob(store)?;
        }
        self.cramp(store, &lines)
    }

    fn expect(&mut self, is_right: bool, what: &str, ran: &Ran) -> Verdict {
        self.checks += 1;
        match is_right {
            true => Ok(()),
            false => Err(format!("{what}: code {}, {}", ran.code, ran.stderr)),
        }
    }

    /// Starts the producers, and kills them when they have told enough.
    fn produce_and_kill(&mut self, round: u64, store: &Store<'_>) -> Verdict {
        let seed = (self.random ^ round).to_string();
        let child = Command::new(&self.producers)
            .arg(&store.folder)
            .args(["t", &seed])
            .stdout(Stdio::piped())
            .spawn();
        let mut child = child.map_err(|error| format!("the producers: {error}"))?;
        let stdout = child.stdout.take().ok_or("no standard output")?;
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let count = self.below(1500);
        let mut told: Vec<String> = lines.by_ref().take(count).collect();
        let killed = child.kill().and_then(|()| child.wait());
        killed.map_err(|error| format!("the producers: {error}"))?;
        told.extend(lines);
        for line in told {
            let mut words = line.splitn(3, ' ').map(str::to_owned);
            // The last line may be cut off by the kill.
            if let (Some(sequence), Some(fingerprint), Some(id)) =
                (words.next(), words.next(), words.next())
                && let Ok(sequence) = sequence.parse()
            {
                self.acknowledged.insert(sequence, (fingerprint, id));
            }
        }
        Ok(())
    }

    /// Everything that was acknowledged is there, and checks.
    fn check_whole(&mut self, store: &Store<'_>) -> Verdict<Lines> {
        // Whoever was killed first may not have made the topic yet.
        let made = store.run(&["topic", "create", "t", "--if-not-exists"])?;
        self.expect(made.code == 0, "opening after a kill", &made)?;
        let verified = store.run(&["verify", "t"])?;
        self.expect(verified.code == 0, "verify after a kill", &verified)?;
        let ran = store.run(&["read", "t", "-o", "json", "--from", "0"])?;
        self.expect(ran.code == 0, "read after a kill", &ran)?;
        let lines: Lines = ran.stdout.lines().map(str::to_owned).collect();
        for (sequence, (fingerprint, id)) in &self.acknowledged {
            let line = usize::try_from(*sequence).ok().and_then(|at| lines.get(at));
            let line = line.ok_or_else(|| format!("acknowledged {sequence} is missing"))?;
            if field(line, "fingerprint") != fingerprint || field(line, "id") != id {
                return Err(format!("acknowledged {sequence} is another one: {line}"));
            }
        }
        Ok(lines)
    }

    /// A copy to harm.
    fn harmed<'a>(&self, store: &Store<'a>) -> Verdict<Store<'a>> {
        store.copy(self.folder.join("harmed"))
    }

    fn pick(&mut self, files: &[PathBuf]) -> Verdict<PathBuf> {
        let at = self.below(files.len());
        files
            .get(at)
            .cloned()
            .ok_or_else(|| "there are no files".to_owned())
    }

    /// Flips one bit of one file.
    fn tamper(&mut self, store: &Store<'_>, lines: &Lines) -> Verdict {
        let copy = self.harmed(store)?;
        let path = self.pick(&copy.files()?)?;
        let mut bytes = read(&path)?;
        let (at, bit) = (self.below(bytes.len()), self.below(8));
        // What follows the last frame are zeros, written ahead.
        let end = bytes
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        let Some(byte) = bytes.get_mut(at) else {
            return Ok(());
        };
        *byte ^= 1 << bit;
        write(&path, &bytes)?;
        let file = name(&path);
        let what = format!("byte {at} of {file} flipped");
        let verified = copy.run(&["verify"])?;
        let is_noticed = verified.code == INTEGRITY;
        self.expect(
            is_noticed || verified.code == 0,
            &format!("{what}: verify"),
            &verified,
        )?;
        if file.ends_with(".seg") && at < end {
            let said = verified.stderr.to_lowercase();
            let place = ["topic=t", &format!("segment={file}"), "offset="];
            let is_named = place.iter().all(|part| said.contains(part));
            self.expect(
                is_noticed && is_named,
                &format!("{what}: verify"),
                &verified,
            )?;
        }
        self.read_harmed(&copy, lines, &what)?;
        let appended = copy.run(&["append", "t", "after the harm"])?;
        let is_told = matches!(appended.code, 0 | INTEGRITY);
        self.expect(is_told, &format!("{what}: append"), &appended)?;
        self.read_harmed(&copy, lines, &format!("{what}, then append"))
    }

    /// What is read of a harmed store is what was there, up to where it says that it is damaged.
    fn read_harmed(&mut self, copy: &Store<'_>, lines: &Lines, what: &str) -> Verdict {
        let ran = copy.run(&["read", "t", "-o", "json", "--from", "0"])?;
        let is_same = ran
            .stdout
            .lines()
            .zip(lines)
            .all(|(found, line)| found == line);
        let is_whole = ran.stdout.lines().count() >= lines.len();
        let is_right = match ran.code {
            0 => is_same && is_whole,
            INTEGRITY => is_same,
            _ => false,
        };
        self.expect(is_right, &format!("{what}: read"), &ran)
    }

    fn segments(copy: &Store<'_>) -> Verdict<Vec<PathBuf>> {
        let mut files = copy.files()?;
        files.retain(|path| name(path).ends_with(".seg"));
        Ok(files)
    }

    /// Cuts bytes off a segment: whoever looks must be told, and nobody may go on as if they had
    /// never been there.
    fn cut(&mut self, store: &Store<'_>) -> Verdict {
        let copy = self.harmed(store)?;
        let segments = Self::segments(&copy)?;
        let path = self.pick(&segments)?;
        let is_last = segments.last() == Some(&path);
        let mut bytes = read(&path)?;
        let end = bytes
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        bytes.truncate(self.below(end));
        write(&path, &bytes)?;
        let what = format!("{} cut to {} bytes", name(&path), bytes.len());
        let verified = copy.run(&["verify"])?;
        self.expect(
            verified.code == INTEGRITY,
            &format!("{what}: verify"),
            &verified,
        )?;
        let appended = copy.run(&["append", "t", "after the cut"])?;
        let is_told = appended.code == INTEGRITY || (appended.code == 0 && !is_last);
        self.expect(is_told, &format!("{what}: append"), &appended)
    }

    /// Removes a segment.
    fn rob(&mut self, store: &Store<'_>) -> Verdict {
        let copy = self.harmed(store)?;
        let path = self.pick(&Self::segments(&copy)?)?;
        remove(&path)?;
        let what = format!("{} removed", name(&path));
        let verified = copy.run(&["verify"])?;
        self.expect(
            verified.code == INTEGRITY,
            &format!("{what}: verify"),
            &verified,
        )
    }

    /// Appends where files may not grow far: what was acknowledged stays, and when there is room
    /// again, appends go on.
    fn cramp(&mut self, store: &Store<'_>, lines: &Lines) -> Verdict {
        let copy = self.harmed(store)?;
        let made = copy.run(&["topic", "create", "small"])?;
        self.expect(made.code == 0, "a topic beside", &made)?;
        let input: String = (0..4000)
            .map(|number| format!("{number} {:>200}\n", "x"))
            .collect();
        let arguments = ["append", "small", "--stdin"];
        let ran = copy.run_cramped(256, &arguments, input.as_bytes())?;
        self.expect(ran.code == 1, "appending without room", &ran)?;
        let acknowledged = ran.stdout.lines().count();
        let verified = copy.run(&["verify"])?;
        self.expect(verified.code == 0, "verify after that", &verified)?;
        let ran = copy.run(&["read", "small", "-o", "json", "--from", "1"])?;
        let is_there = ran.stdout.lines().count() >= acknowledged;
        self.expect(is_there, "what was acknowledged without room", &ran)?;
        let ran = copy.run(&["append", "small", "with room"])?;
        self.expect(ran.code == 0, "appending with room", &ran)?;
        self.read_harmed(&copy, lines, "beside a full topic")
    }
}
