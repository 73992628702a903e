use gatelodge_architecture::source::{TokenKind, functions, tokens, without_tests};

fn words(text: &str) -> Vec<String> {
    let words = tokens(text)
        .into_iter()
        .filter_map(|token| match token.kind {
            TokenKind::Word(word) => Some(word),
            _ => None,
        });
    words.collect()
}

fn texts(text: &str) -> Vec<String> {
    let texts = tokens(text)
        .into_iter()
        .filter_map(|token| match token.kind {
            TokenKind::Text(text) => Some(text),
            _ => None,
        });
    texts.collect()
}

#[test]
fn comments_are_no_tokens() {
    assert_eq!(
        words("a // b\n/* c /* d */ e */ f /// g\n//! h"),
        ["a", "f"]
    );
}

#[test]
fn strings_of_every_kind_are_texts() {
    let text = r###"f("a \" b", r"c\", r#"d " e"#, b"f", br##"g"# h"##, c"i")"###;
    let expected = ["a \" b", "c\\", "d \" e", "f", "g\"# h", "i"];
    assert_eq!(texts(text), expected);
}

#[test]
fn characters_and_lifetimes_open_no_string() {
    let text = "fn a<'b>(c: &'b str, d: char) { d == '\"' || d == '\\'' || d == '{' || d == '\\u{1F}' } fn e() {}";
    assert!(texts(text).is_empty());
    assert_eq!(functions(&tokens(text)).len(), 2);
}

#[test]
fn lines_are_counted_from_one() {
    let lines: Vec<usize> = tokens("a\n\"b\nc\" d\n/*\n*/ e")
        .iter()
        .map(|t| t.line)
        .collect();
    assert_eq!(lines, [1, 2, 3, 5]);
}

#[test]
fn functions_are_measured_to_their_closing_brace() {
    let text = "trait A {\n fn declared(&self, b: [u8; 4]) -> [u8; 2];\n}\nimpl A {\n async fn c<T>(\n  a: T,\n ) \
                -> [u8; 2] {\n  if a { \"}\"; }\n }\n}\ntype F = fn(u8);\nfn r#try() {}\n";
    let found: Vec<_> = functions(&tokens(text))
        .into_iter()
        .map(|f| (f.name, f.line, f.lines))
        .collect();
    assert_eq!(found, [("c".to_owned(), 5, 5), ("try".to_owned(), 12, 1)]);
}

#[test]
fn test_items_are_left_out() {
    let text = "fn kept() {} #[cfg(test)] #[path = \"x.rs\"] mod tests; #[cfg(all(test, unix))] mod t { fn a() { {} } } \
                #[cfg(not(test))] fn also() {} #[cfg(test)] fn gone(b: [u8; 2]) {} #[derive(Debug)] struct Last;";
    let kept = without_tests(&tokens(text));
    let names: Vec<_> = functions(&kept).into_iter().map(|f| f.name).collect();
    assert_eq!(names, ["kept", "also"]);
    assert!(kept.iter().any(|token| token.is_word("Last")));
    assert!(!kept.iter().any(|token| token.is_word("mod")));
}

#[test]
fn broken_sources_end() {
    for text in [
        "\"open",
        "r#\"open",
        "/* open",
        "'",
        "fn",
        "fn a(",
        "#[cfg(test)",
        "b'",
        "'\\",
    ] {
        let found = tokens(text);
        without_tests(&found);
        functions(&found);
    }
}
