//! How long files and functions may get.

use crate::{Rule, Tree, Violation, source};

/// A source file has at most this many lines.
pub const MAX_FILE_LINES: usize = 600;
/// A function has at most this many lines, from its `fn` to its closing brace.
pub const MAX_FUNCTION_LINES: usize = 80;

/// What counts as source, by the end of the name; scripts without one are added in [`is_source`].
const SOURCE: [&str; 6] = [".rs", ".sql", ".html", ".css", ".js", ".sh"];

/// Checks the length of every source file.
pub fn check_files(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for path in tree.paths().filter(|path| is_source(path)) {
        let lines = tree.text(path).unwrap_or_default().lines().count();
        if lines > MAX_FILE_LINES {
            violations.push(Violation::new(
                Rule::FileLength,
                path,
                format!("{lines} lines, more than {MAX_FILE_LINES}"),
                "split it along what it does, or allow it with a reason",
            ));
        }
    }
    violations
}

/// Checks the length of every function, tests included.
pub fn check_functions(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in tree.with_extension("rs") {
        for function in source::functions(&source::tokens(text)) {
            if function.lines > MAX_FUNCTION_LINES {
                violations.push(Violation::new(
                    Rule::FunctionLength,
                    format!("{path}: fn {}", function.name),
                    format!(
                        "{} lines from line {}, more than {MAX_FUNCTION_LINES}",
                        function.lines, function.line
                    ),
                    "give its steps names of their own, or allow it with a reason",
                ));
            }
        }
    }
    violations
}

fn is_source(path: &str) -> bool {
    SOURCE.iter().any(|end| path.ends_with(end)) || matches!(path, "tests/run" | ".ci/run")
}
