//! One file of the server names concrete providers and backends, and nothing branches on what kind one is.

use crate::dependencies::Area;
use crate::source::{self, Token, TokenKind};
use crate::{Rule, Tree, Violation, Workspace};

/// The file that registers every provider and backend.
pub const REGISTER: &str = "server/src/plugins.rs";

/// Where a kind may be written down as the default of a configuration, though not compared with.
const CONFIGURATION: &str = "server/src/config";

/// Methods that compare a text with their argument.
const COMPARING: [&str; 6] = [
    "eq",
    "ne",
    "eq_ignore_ascii_case",
    "starts_with",
    "ends_with",
    "contains",
];

/// Checks that [`REGISTER`] names each provider and backend and no other file of the server names any.
pub fn check_registration(workspace: &Workspace, tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    let register = source::tokens(tree.text(REGISTER).unwrap_or_default());
    for member in pluggable(workspace) {
        let name = member.name.replace('-', "_");
        if !register.iter().any(|token| token.is_word(&name)) {
            violations.push(Violation::new(
                Rule::Registration,
                REGISTER,
                format!("`{name}` is never registered"),
                "add its register line there",
            ));
        }
    }
    for (path, text) in tree.with_extension("rs") {
        if !path.starts_with("server/src/") || path == REGISTER {
            continue;
        }
        let named = source::tokens(text).iter().find_map(concrete_crate);
        if let Some(name) = named {
            violations.push(Violation::new(
                Rule::Registration,
                path,
                format!("names `{name}`"),
                format!("reach it through core's contracts; only {REGISTER} names concrete crates"),
            ));
        }
    }
    violations
}

/// Checks that neither core nor the server compares anything with the kind of a provider or backend, outside tests
/// and [`REGISTER`].
pub fn check_kinds(workspace: &Workspace, tree: &Tree) -> Vec<Violation> {
    let kinds: Vec<String> = pluggable(workspace)
        .filter_map(|member| member.folder.rsplit('/').next())
        .flat_map(|folder| [folder.to_owned(), folder.replace('-', "_")])
        .collect();
    let mut violations = Vec::new();
    for (path, text) in tree.with_extension("rs") {
        let is_watched = path.starts_with("core/") || path.starts_with("server/");
        if !is_watched || !path.contains("/src/") || path == REGISTER || is_test_file(path) {
            continue;
        }
        let tokens = source::without_tests(&source::tokens(text));
        let is_configuration = path.starts_with(CONFIGURATION);
        for (at, token) in tokens.iter().enumerate() {
            let TokenKind::Text(text) = &token.kind else {
                continue;
            };
            if !kinds.contains(text) {
                continue;
            }
            if is_compared(&tokens, at) || (!is_configuration && is_named(&tokens, at)) {
                violations.push(Violation::new(
                    Rule::Kind,
                    path,
                    format!("line {} depends on the kind \"{text}\"", token.line),
                    "ask what the provider or backend describes (its factor class, its capabilities) instead of which \
                     one it is",
                ));
            }
        }
    }
    violations
}

fn pluggable(workspace: &Workspace) -> impl Iterator<Item = &crate::workspace::Crate> {
    workspace
        .crates
        .iter()
        .filter(|member| Area::of(&member.folder).is_some_and(Area::is_pluggable))
}

fn concrete_crate(token: &Token) -> Option<String> {
    let word = token.word()?;
    let is_concrete =
        word.starts_with("gatelodge_provider_") || word.starts_with("gatelodge_storage_");
    // The suites are for tests, and only a test can use them.
    let is_concrete = is_concrete && !word.ends_with("_suite");
    is_concrete.then(|| word.to_owned())
}

fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}

/// Whether the literal at `at` is compared with: by an operator, a pattern, `matches!` or a method.
fn is_compared(tokens: &[Token], at: usize) -> bool {
    let mark = |index: usize, mark: char| tokens.get(index).is_some_and(|t| t.is_mark(mark));
    let text = |index: usize| {
        tokens
            .get(index)
            .is_some_and(|t| matches!(t.kind, TokenKind::Text(_)))
    };
    let mut first = at;
    while first > 0 && (mark(first - 1, '&') || mark(first - 1, '*')) {
        first -= 1;
    }
    let behind_operator =
        first >= 2 && mark(first - 1, '=') && (mark(first - 2, '=') || mark(first - 2, '!'));
    let before_operator = (mark(at + 1, '=') || mark(at + 1, '!')) && mark(at + 2, '=');
    let in_alternatives =
        (mark(at + 1, '|') && text(at + 2)) || (at >= 2 && mark(at - 1, '|') && text(at - 2));
    let before_guard = tokens.get(at + 1).is_some_and(|t| t.is_word("if"));
    let mut end = at + 1;
    while mark(end, ')') {
        end += 1;
    }
    let in_arm = mark(end, '=') && mark(end + 1, '>');
    behind_operator
        || before_operator
        || in_alternatives
        || before_guard
        || in_arm
        || called(tokens, first).is_some_and(|name| name == "matches" || COMPARING.contains(&name))
}

/// Whether the literal at `at` is given a name or turned into a kind, to be compared with elsewhere.
fn is_named(tokens: &[Token], at: usize) -> bool {
    let before = tokens.get(..at).unwrap_or_default();
    let statement = before
        .iter()
        .rev()
        .take_while(|t| !(t.is_mark(';') || t.is_mark('{') || t.is_mark('}')));
    let is_constant = before.last().is_some_and(|t| t.is_mark('='))
        && statement
            .clone()
            .any(|t| t.is_word("const") || t.is_word("static"));
    let path: Vec<&str> = before
        .iter()
        .rev()
        .skip(1)
        .take_while(|t| t.word().is_some() || t.is_mark(':'))
        .filter_map(Token::word)
        .collect();
    let is_kind = before.last().is_some_and(|t| t.is_mark('('))
        && path.iter().any(|word| word.ends_with("Kind"));
    is_constant || is_kind
}

/// The function, method or macro whose arguments the token at `at` stands in, if it stands directly in some.
fn called(tokens: &[Token], at: usize) -> Option<&str> {
    let mut depth = 0_usize;
    let mut index = at;
    loop {
        index = index.checked_sub(1)?;
        match tokens.get(index)?.kind {
            TokenKind::Mark(')' | ']' | '}') => depth += 1,
            TokenKind::Mark('(' | '[' | '{') if depth > 0 => depth -= 1,
            TokenKind::Mark('(') => break,
            TokenKind::Mark('[' | '{' | ';') => return None,
            _ => {}
        }
    }
    let before = index.checked_sub(1)?;
    let name = if tokens.get(before)?.is_mark('!') {
        before.checked_sub(1)?
    } else {
        before
    };
    tokens.get(name)?.word()
}
