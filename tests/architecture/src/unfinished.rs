//! Nothing unfinished is checked in, and no test is there that never runs.

use crate::source::{self, Token};
use crate::{Rule, Tree, Violation};

/// Checks every Rust file for placeholders and for tests that are switched off.
pub fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in tree.with_extension("rs") {
        let tokens = source::tokens(text);
        for (at, token) in tokens.iter().enumerate() {
            let Some((found, remedy)) = unfinished(&tokens, at) else {
                continue;
            };
            violations.push(Violation::new(
                Rule::Unfinished,
                path,
                format!("{found} on line {}", token.line),
                remedy,
            ));
        }
    }
    violations
}

fn unfinished(tokens: &[Token], at: usize) -> Option<(&'static str, &'static str)> {
    let word = tokens.get(at)?.word()?;
    let is_macro = tokens.get(at + 1).is_some_and(|t| t.is_mark('!'))
        && !tokens.get(at + 2).is_some_and(|t| t.is_mark('='));
    match word {
        "todo" | "unimplemented" if is_macro => {
            Some(("a placeholder", "write it, or leave out what leads there"))
        }
        "ignore" if is_attribute(tokens, at) => Some((
            "a test that never runs",
            "make it run everywhere, or take it out: nothing is skipped silently",
        )),
        _ => None,
    }
}

/// Whether the word at `at` is an attribute, `#[ignore]` or one behind a `cfg_attr(…, ignore)`.
fn is_attribute(tokens: &[Token], at: usize) -> bool {
    let start = tokens
        .get(..at)
        .unwrap_or_default()
        .iter()
        .rposition(|token| token.is_mark('#'));
    let Some(attribute) = start.and_then(|start| tokens.get(start..at)) else {
        return false;
    };
    let closed = attribute.iter().any(|token| token.is_mark(']'));
    let is_direct = attribute.len() == 2;
    let is_conditional = attribute
        .get(2)
        .is_some_and(|token| token.is_word("cfg_attr"));
    !closed && (is_direct || is_conditional)
}
