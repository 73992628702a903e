//! Standard output: sentences and tables for people, documents for programs.

use std::io::Write as _;

use serde::Serialize;
use serde_json::Value;

use super::{
    failure::Failure,
    surroundings::Surroundings,
    table::{Table, fields},
    text::is_obeyed,
};

/// Where a command puts what it found.
#[derive(Clone, Copy)]
pub(super) struct Output<'a> {
    surroundings: &'a Surroundings,
    json: bool,
}

/// How a list is shown.
pub(super) struct Shape<'s, T> {
    /// What stands in the place of an empty list.
    pub(super) nothing: &'s str,
    pub(super) headers: &'static [&'static str],
    pub(super) row: &'s dyn Fn(&T) -> Vec<String>,
    pub(super) json: &'s dyn Fn(&T) -> Value,
}

impl<'a> Output<'a> {
    pub(super) fn new(surroundings: &'a Surroundings, json: bool) -> Self {
        Self { surroundings, json }
    }

    /// Whether documents are wanted.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// The answer: `document` for programs, `words` for people.
    pub(super) fn answer(&self, document: &impl Serialize, words: &str) -> Result<(), Failure> {
        if self.json {
            self.document(document)
        } else {
            self.words(words)
        }
    }

    /// The answer: `document` for programs, one field a line for people.
    pub(super) fn answer_fields(
        &self,
        document: &impl Serialize,
        named: &[(&str, String)],
    ) -> Result<(), Failure> {
        self.answer(document, fields(named).trim_end())
    }

    /// A JSON document, whether asked for or not.
    pub(super) fn document(&self, document: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(document)
            .map_err(|error| Failure::new("internal", format!("no JSON can be made: {error}")))?;
        self.raw(&format!("{}\n", escaped_json(&text)))
    }

    /// Lines for people. What a terminal would obey is written out.
    pub(super) fn words(&self, words: &str) -> Result<(), Failure> {
        let mut lines = String::with_capacity(words.len() + 1);
        for char in words.chars() {
            if char != '\n' && is_obeyed(char) {
                lines.extend(char.escape_default());
            } else {
                lines.push(char);
            }
        }
        lines.push('\n');
        self.raw(&lines)
    }

    /// Begins a list that is written piece by piece.
    pub(super) fn list<'s, T>(&self, shape: Shape<'s, T>) -> List<'a, 's, T> {
        List {
            output: *self,
            table: Table::new(shape.headers),
            shape,
            count: 0,
        }
    }

    fn raw(&self, text: &str) -> Result<(), Failure> {
        let mut output = self.surroundings.output.borrow_mut();
        output.write_all(text.as_bytes())?;
        Ok(output.flush()?)
    }
}

/// A list that is being written.
pub(super) struct List<'a, 's, T> {
    output: Output<'a>,
    shape: Shape<'s, T>,
    table: Table,
    count: u64,
}

impl<T> List<'_, '_, T> {
    /// Writes the next piece.
    pub(super) fn piece(&mut self, items: &[T]) -> Result<(), Failure> {
        if items.is_empty() {
            return Ok(());
        }
        let text = if self.output.json {
            self.json_piece(items)?
        } else {
            let rows: Vec<_> = items.iter().map(self.shape.row).collect();
            self.table.piece(&rows)
        };
        self.count += items.len() as u64;
        self.output.raw(&text)
    }

    /// How many were written.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Writes the end.
    pub(super) fn finish(self) -> Result<(), Failure> {
        match (self.output.json, self.count) {
            (true, 0) => self.output.raw("{\"items\": []}\n"),
            (true, _) => self.output.raw("\n]}\n"),
            (false, 0) => self.output.words(self.shape.nothing),
            (false, _) => Ok(()),
        }
    }

    fn json_piece(&self, items: &[T]) -> Result<String, Failure> {
        let mut text = String::new();
        for item in items {
            text.push_str(if self.count == 0 && text.is_empty() {
                "{\"items\": [\n"
            } else {
                ",\n"
            });
            let line = serde_json::to_string(&(self.shape.json)(item)).map_err(|error| {
                Failure::new("internal", format!("no JSON can be made: {error}"))
            })?;
            text.push_str(&escaped_json(&line));
        }
        Ok(text)
    }
}

/// JSON in which what a terminal would obey is escaped; that can only stand
/// inside of texts, so it means the same. Line ends are layout and stay.
fn escaped_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for char in json.chars() {
        if char != '\n' && is_obeyed(char) {
            let mut units = [0_u16; 2];
            for unit in char.encode_utf16(&mut units) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            escaped.push(char);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::surroundings::fake::Fake;

    fn shape() -> Shape<'static, u32> {
        Shape {
            nothing: "There is nothing.",
            headers: &["NUMBER", "AGAIN"],
            row: &|number| vec![number.to_string(), number.to_string()],
            json: &|number| json!({ "number": number }),
        }
    }

    fn listed(json: bool, pieces: &[&[u32]]) -> String {
        let fake = Fake::default();
        let surroundings = fake.surroundings();
        let mut list = Output::new(&surroundings, json).list(shape());
        for piece in pieces {
            list.piece(piece).unwrap();
        }
        list.finish().unwrap();
        fake.output.text()
    }

    #[test]
    fn a_list_in_pieces_is_one_document() {
        let text = listed(true, &[&[1, 2], &[], &[3]]);
        let document: Value = serde_json::from_str(&text).unwrap();
        let expected = json!({ "items": [{ "number": 1 }, { "number": 2 }, { "number": 3 }] });
        assert_eq!(document, expected);
        let empty: Value = serde_json::from_str(&listed(true, &[])).unwrap();
        assert_eq!(empty, json!({ "items": [] }));
    }

    #[test]
    fn a_list_for_people_has_one_header_and_says_when_it_is_empty() {
        let text = listed(false, &[&[1], &[20_000_000]]);
        assert_eq!(text, "NUMBER  AGAIN\n1       1\n20000000  20000000\n");
        assert_eq!(listed(false, &[]), "There is nothing.\n");
    }

    /// S47: a document that is looked at in a terminal does not drive it.
    #[test]
    fn s47_a_document_holds_no_control_characters_and_means_the_same() {
        let fake = Fake::default();
        let surroundings = fake.surroundings();
        let document = json!({ "name": "a\u{1b}[2J\u{7f}\u{9b}\u{2028}\u{202e}\n😀" });
        Output::new(&surroundings, true)
            .document(&document)
            .unwrap();
        let text = fake.output.text();
        assert!(!text.chars().any(|char| char != '\n' && is_obeyed(char)));
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), document);
    }

    #[test]
    fn words_keep_their_lines_and_nothing_else() {
        let fake = Fake::default();
        let surroundings = fake.surroundings();
        let output = Output::new(&surroundings, false);
        output.words("one\ntwo\u{1b}").unwrap();
        assert_eq!(fake.output.text(), "one\ntwo\\u{1b}\n");
    }
}
