use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

use super::Label;

/// Folders that hold no tests of ours.
const SKIPPED: [&str; 6] = [
    "target",
    "node_modules",
    "artefacts",
    "fuzz",
    "data",
    "corpus",
];
/// Its tests hold made-up tests.
const SELF: &str = "tests/attacks/src";
const ALL: &str = "memory, SQLite, Postgres";

/// A test function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// Its name.
    pub name: String,
    /// The file, from the root.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The storage it runs on; empty when it needs none.
    pub storage: &'static str,
    /// What it proves.
    pub labels: BTreeSet<Label>,
}

impl Test {
    /// Whether it is a case of one of the suites.
    pub fn is_case(&self) -> bool {
        is_suite(&self.file)
    }
}

/// The texts of all Rust files below `root`, by their path from there.
pub(super) fn sources(root: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    read_folder(root, "", &mut found)?;
    Ok(found)
}

fn read_folder(folder: &Path, path: &str, found: &mut BTreeMap<String, String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let below = match path {
            "" => name.clone(),
            _ => format!("{path}/{name}"),
        };
        if entry.file_type()?.is_dir() {
            let is_skipped =
                name.starts_with('.') || SKIPPED.contains(&name.as_str()) || below == SELF;
            if !is_skipped {
                read_folder(&entry.path(), &below, found)?;
            }
        } else if name.ends_with(".rs") {
            found.insert(below, fs::read_to_string(entry.path())?);
        }
    }
    Ok(())
}

/// The test functions of a file: those with an attribute that makes them one, those that are run on each storage, and
/// the cases of the suites.
pub fn tests_in(file: &str, text: &str) -> Vec<Test> {
    let on_each = on_each_storage(text);
    let mut tests = Vec::new();
    let mut head = Head::default();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let Some(name) = function(line) else {
            head.take(line);
            continue;
        };
        let head = std::mem::take(&mut head);
        let is_on_each = on_each.contains(name);
        let is_case = is_suite(file) && line.starts_with("pub(crate) async fn");
        if !(head.is_test && !head.is_ignored || is_on_each || is_case) {
            continue;
        }
        let labels = Label::of_name(name);
        let described = Label::of_documentation(&head.documentation);
        tests.push(Test {
            name: name.to_owned(),
            file: file.to_owned(),
            line: index + 1,
            storage: if is_on_each { ALL } else { storage(file) },
            labels: labels.into_iter().chain(described).collect(),
        });
    }
    tests
}

/// What stands before a function.
#[derive(Default)]
struct Head {
    documentation: String,
    is_test: bool,
    is_ignored: bool,
    /// Open brackets of an attribute over several lines.
    open: usize,
}

impl Head {
    fn take(&mut self, line: &str) {
        if let Some(text) = line.strip_prefix("///") {
            self.documentation.push_str(text);
            self.documentation.push('\n');
        } else if self.open > 0 || line.starts_with("#[") {
            self.is_test |= ["#[test]", "::test]", "::test("]
                .iter()
                .any(|is| line.contains(is));
            self.is_ignored |= line.starts_with("#[ignore");
            let count = |bracket| line.matches(bracket).count();
            self.open = (self.open + count('[')).saturating_sub(count(']'));
        } else if !line.starts_with("//") {
            *self = Self::default();
        }
    }
}

/// The name of the function that begins in this line.
fn function(line: &str) -> Option<&str> {
    let mut rest = line;
    for word in ["pub(crate) ", "pub(super) ", "pub ", "async "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let name = rest.strip_prefix("fn ")?.split(['(', '<']).next()?;
    Some(name.trim())
}

/// What the macro of the API's tests names.
fn on_each_storage(text: &str) -> BTreeSet<&str> {
    let lists = text.split("on_each_storage!(").skip(1);
    let names = lists.flat_map(|list| list.split(')').next().unwrap_or_default().split(','));
    names.map(str::trim).collect()
}

fn is_suite(file: &str) -> bool {
    file.starts_with("tests/") && file.contains("-suite/src/cases/")
}

/// Where the tests of a file keep their data.
fn storage(file: &str) -> &'static str {
    let in_process = ["core/tests/", "server/tests/api/", "server/tests/web/"];
    if is_suite(file) && file.starts_with("tests/storage-suite/") {
        ALL
    } else if file.starts_with("tests/e2e/") {
        match file.rsplit('/').next() {
            Some("nodes.rs" | "pooler.rs" | "outages.rs") => "Postgres",
            _ if file.contains("/embedded") => "SQLite",
            _ => "SQLite, Postgres",
        }
    } else if file.starts_with("storage/postgres/") {
        "Postgres"
    } else if file.starts_with("storage/sqlite/") || file.starts_with("server/tests/cli/") {
        "SQLite"
    } else if in_process.iter().any(|folder| file.starts_with(folder)) {
        "memory"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(file: &str, text: &str) -> Vec<String> {
        let tests = tests_in(file, text).into_iter();
        tests
            .map(|test| format!("{} {}", test.name, test.storage))
            .collect()
    }

    #[test]
    fn what_runs_is_a_test_and_nothing_else() {
        let text = "
            on_each_storage!(
                s01_on_each,
            );
            async fn s01_on_each(world: &World) {}
            async fn s02_helper(world: &World) {}
            /// S05: words.
            #[expect(
                clippy::panic,
            )]
            #[test]
            fn s03_plain() {}
            #[tokio::test(flavor = \"multi_thread\")]
            async fn s04_async() {}
            #[test]
            #[ignore = \"slow\"]
            fn s06_ignored() {}
        ";
        assert_eq!(
            names("server/tests/api/x.rs", text),
            [
                "s01_on_each memory, SQLite, Postgres",
                "s03_plain memory",
                "s04_async memory"
            ]
        );
        let labels = &tests_in("x.rs", text)[1].labels;
        assert_eq!(
            *labels,
            BTreeSet::from([Label::Attack(3), Label::Attack(5)])
        );
    }

    #[test]
    fn the_cases_of_a_suite_are_tests() {
        let text = "pub(crate) async fn a_case(world: &World) {}\nasync fn helper() {}";
        let file = "tests/storage-suite/src/cases/x.rs";
        assert_eq!(names(file, text), [format!("a_case {ALL}")]);
    }

    #[test]
    fn documentation_belongs_to_the_function_after_it() {
        let text = "/// S05\nconst X: u8 = 1;\n#[test]\nfn plain() {}";
        assert!(tests_in("x.rs", text)[0].labels.is_empty());
    }
}
