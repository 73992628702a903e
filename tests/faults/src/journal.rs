//! What clients were told is done, written down outside of the server.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

/// A file with a line per acknowledged answer, each on the disk before the client goes on.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A user was made: the id without its dashes, and the name.
    User(String, String),
    /// A session was begun, which has this token.
    Begun(String),
    /// Its end is about to be asked for: from here on nobody knows, until the answer comes.
    Leaving(String),
    /// Its end was acknowledged.
    Ended(String),
}

impl Journal {
    /// An empty one in this file.
    pub fn create(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            file: OpenOptions::new()
                .create_new(true)
                .append(true)
                .open(path)
                .unwrap(),
        }
    }

    /// Writes a line and waits until the disk has it.
    pub fn note(&self, entry: &Entry) {
        let line = match entry {
            Entry::User(id, name) => format!("user {id} {name}\n"),
            Entry::Begun(token) => format!("begun {token}\n"),
            Entry::Leaving(token) => format!("leaving {token}\n"),
            Entry::Ended(token) => format!("ended {token}\n"),
        };
        tokio::task::block_in_place(|| {
            (&self.file).write_all(line.as_bytes()).unwrap();
            self.file.sync_data().unwrap();
        });
    }

    /// Everything in it, from the file.
    pub fn read(&self) -> Vec<Entry> {
        let text = fs::read_to_string(&self.path).unwrap();
        text.lines().map(entry_of).collect()
    }
}

fn entry_of(line: &str) -> Entry {
    let mut words = line.split(' ').map(str::to_owned);
    let mut word = || words.next().unwrap();
    match word().as_str() {
        "user" => Entry::User(word(), word()),
        "begun" => Entry::Begun(word()),
        "leaving" => Entry::Leaving(word()),
        "ended" => Entry::Ended(word()),
        other => panic!("`{other}` is nothing that stands in a journal"),
    }
}
