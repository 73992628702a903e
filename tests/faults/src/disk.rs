//! A disk that forgets: what of its files is left when the power goes, as far as the operating system promises
//! anything.
//!
//! It knows each write, cut and sync of a process, from the notes of `power.c`. What was synced stays. Of what was not,
//! chance decides: each write may be there, may not be, or may be there in part, in units of 512 bytes, whatever became
//! of the ones before it. Names of files count as safe.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
};

use crate::random::Random;

/// What a disk writes at once.
const SECTOR: usize = 512;
/// The length of a note without what follows it.
const HEAD: usize = 24;

/// What is believed of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// What it says is safe is safe.
    Honest,
    /// Nothing is, whatever it says: the control, by which a scenario shows that it would notice.
    Lying,
}

/// The files of a database on that disk.
#[derive(Debug, Default)]
pub struct Disk {
    files: BTreeMap<PathBuf, Content>,
}

/// What the notes told.
#[derive(Debug, Default, Clone, Copy)]
pub struct Forgotten {
    /// How often a file was synced.
    pub syncs: usize,
    /// How many writes were not followed by a sync of their file.
    pub unsynced: usize,
    /// How many of those are gone, in whole or in part.
    pub dropped: usize,
}

/// A file.
#[derive(Debug, Default)]
struct Content {
    /// What is safe.
    safe: Vec<u8>,
    /// What is not yet, in order, each with the number of its note.
    pending: Vec<(u64, Change)>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Cut(usize),
}

impl Disk {
    /// The databases that lie in a folder, all of it safe.
    pub fn holding(folder: &Path) -> Self {
        let mut disk = Self::default();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if is_of_database(&path) {
                let safe = fs::read(&path).unwrap();
                let pending = Vec::new();
                disk.files.insert(path, Content { safe, pending });
            }
        }
        disk
    }

    /// Takes what a process did, and lets the power go.
    pub fn lose_power(&mut self, notes: &[u8], trust: Trust, random: &mut Random) -> Forgotten {
        let mut forgotten = self.take(notes, trust);
        for content in self.files.values_mut() {
            forgotten.unsynced += content.pending.len();
            let keeps_none = random.between(0, 3) == 0 || trust == Trust::Lying;
            for (_, change) in std::mem::take(&mut content.pending) {
                let is_whole = !keeps_none && content.keep_some(change, random);
                forgotten.dropped += usize::from(!is_whole);
            }
        }
        forgotten
    }

    /// Puts the files of a folder into the state that the disk has, and takes away what only memory had.
    pub fn restore(&self, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.to_string_lossy();
            if is_of_database(&path) || name.ends_with("-shm") {
                fs::remove_file(&path).unwrap();
            }
        }
        for (path, content) in &self.files {
            fs::write(path, &content.safe).unwrap();
        }
    }

    fn take(&mut self, notes: &[u8], trust: Trust) -> Forgotten {
        let mut forgotten = Forgotten::default();
        let mut names: HashMap<u32, PathBuf> = HashMap::new();
        let mut rest = notes;
        let mut number = 0;
        while let Some((note, after)) = Note::first(rest) {
            rest = after;
            if note.kind == 1 {
                let path = PathBuf::from(String::from_utf8(note.bytes.to_vec()).unwrap());
                names.insert(note.file, path);
                number += 1;
                continue;
            }
            let path = names[&note.file].clone();
            match note.kind {
                2 | 3 => {
                    let place = usize::try_from(note.at).unwrap();
                    let change = match note.kind {
                        2 => Change::Write(place, note.bytes.to_vec()),
                        _ => Change::Cut(place),
                    };
                    let content = self.files.entry(path).or_default();
                    content.pending.push((number, change));
                }
                4 => {
                    forgotten.syncs += 1;
                    if trust == Trust::Honest {
                        self.files.entry(path).or_default().sync(note.at);
                    }
                }
                5 => drop(self.files.remove(&path)),
                other => panic!("a note of kind {other}"),
            }
            number += 1;
        }
        forgotten
    }
}

impl Content {
    /// Makes safe what was written before a note.
    fn sync(&mut self, before: u64) {
        let pending = std::mem::take(&mut self.pending);
        for (number, change) in pending {
            if number < before {
                apply(&mut self.safe, &change);
            } else {
                self.pending.push((number, change));
            }
        }
    }

    /// Lets chance decide about a change; whether all of it stays.
    fn keep_some(&mut self, change: Change, random: &mut Random) -> bool {
        match (random.between(0, 4), change) {
            (0 | 1, change) => {
                apply(&mut self.safe, &change);
                true
            }
            (2, Change::Write(at, bytes)) => {
                for (number, sector) in bytes.chunks(SECTOR).enumerate() {
                    if random.coin() {
                        let part = Change::Write(at + number * SECTOR, sector.to_vec());
                        apply(&mut self.safe, &part);
                    }
                }
                false
            }
            _ => false,
        }
    }
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Cut(size) => content.resize(*size, 0),
        Change::Write(at, bytes) => {
            let end = at + bytes.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            content[*at..end].copy_from_slice(bytes);
        }
    }
}

fn is_of_database(path: &Path) -> bool {
    let name = path.to_string_lossy();
    [".db", "-wal", "-journal"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// What `power.c` writes.
struct Note<'a> {
    kind: u32,
    file: u32,
    at: u64,
    bytes: &'a [u8],
}

impl<'a> Note<'a> {
    /// The first one, and what comes after it; none if it is not there in full.
    fn first(text: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (head, rest) = text.split_at_checked(HEAD)?;
        let long = |at: usize| u64::from_ne_bytes(head[at..at + 8].try_into().unwrap());
        let short = |at: usize| u32::from_ne_bytes(head[at..at + 4].try_into().unwrap());
        let (bytes, rest) = rest.split_at_checked(usize::try_from(long(16)).unwrap())?;
        let note = Self {
            kind: short(0),
            file: short(4),
            at: long(8),
            bytes,
        };
        Some((note, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(kind: u32, at: u64, bytes: &[u8]) -> Vec<u8> {
        let length = u64::try_from(bytes.len()).unwrap();
        [
            &kind.to_ne_bytes()[..],
            &1_u32.to_ne_bytes(),
            &at.to_ne_bytes(),
            &length.to_ne_bytes(),
            bytes,
        ]
        .concat()
    }

    fn left(notes: &[u8], trust: Trust) -> Vec<u8> {
        let mut disk = Disk::default();
        // With this seed nothing of what is not synced stays.
        let seed = (0..).find(|seed| Random::new(*seed).between(0, 3) == 0);
        disk.lose_power(notes, trust, &mut Random::new(seed.unwrap()));
        disk.files.into_values().next().unwrap_or_default().safe
    }

    #[test]
    fn what_was_synced_stays_and_what_was_written_while_the_sync_waited_does_not() {
        let notes = [
            note(1, 0, b"/x.db"),
            note(2, 0, b"safe"),
            note(2, 4, b"late"),
            note(4, 2, b""),
        ]
        .concat();
        assert_eq!(left(&notes, Trust::Honest), b"safe");
        assert_eq!(left(&notes, Trust::Lying), b"");
    }

    #[test]
    fn half_a_note_at_the_end_is_none() {
        let mut notes = [
            note(1, 0, b"/x.db"),
            note(2, 0, b"safe"),
            note(3, 2, b""),
            note(4, 3, b""),
        ]
        .concat();
        notes.extend(&note(4, 9, b"abc")[..20]);
        assert_eq!(left(&notes, Trust::Honest), b"sa");
    }

    #[test]
    fn chance_keeps_some_of_what_was_not_synced() {
        let mut notes = note(1, 0, b"/x.db");
        for number in 0..100 {
            notes.extend(note(2, number * 1024, &[1; 1024]));
        }
        let mut disk = Disk::default();
        let seed = (0..).find(|seed| Random::new(*seed).between(0, 3) == 1);
        let mut random = Random::new(seed.unwrap());
        let forgotten = disk.lose_power(&notes, Trust::Honest, &mut random);
        assert_eq!(forgotten.unsynced, 100);
        assert!(
            (10..90).contains(&forgotten.dropped),
            "{}",
            forgotten.dropped
        );
    }
}
