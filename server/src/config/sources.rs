//! Where each value of a configuration was written.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::error::Place;

/// Where each key was written, by dotted key. The command line wins over the environment, that over the file.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// The configuration file, if there is one.
    pub(super) file: Option<PathBuf>,
    /// The line of each key and table in the file.
    pub(super) lines: BTreeMap<String, usize>,
    /// The variable of each key.
    pub(super) environment: BTreeMap<String, String>,
    /// The option of each key.
    pub(super) command_line: BTreeMap<String, &'static str>,
}

impl Sources {
    /// Where exactly this key was written.
    pub(super) fn exact(&self, key: &str) -> Place {
        if let Some(option) = self.command_line.get(key) {
            return Place::CommandLine(option);
        }
        if let Some(variable) = self.environment.get(key) {
            return Place::Environment(variable.clone());
        }
        match (&self.file, self.lines.get(key)) {
            (Some(path), Some(line)) => Place::File {
                path: path.clone(),
                line: Some(*line),
            },
            _ => Place::Default,
        }
    }

    /// Where this key or the nearest thing around it was written.
    pub(super) fn place(&self, key: &str) -> Place {
        let mut key = key;
        loop {
            match (self.exact(key), key.rsplit_once('.')) {
                (Place::Default, Some((around, _))) => key = around,
                (place, _) => return place,
            }
        }
    }

    /// A path as the program must open it: one written in the file is relative to the file's folder, any other to the
    /// folder the program was started in.
    pub(super) fn resolve(&self, key: &str, path: &Path) -> PathBuf {
        match self.folder(key) {
            Some(folder) => folder.join(path),
            None => path.to_owned(),
        }
    }

    /// The folder that a path under this key is relative to, unless it is the one the program was started in.
    pub(super) fn folder(&self, key: &str) -> Option<PathBuf> {
        match self.exact(key) {
            Place::File { path, .. } => path.parent().map(Path::to_owned),
            _ => None,
        }
    }
}
