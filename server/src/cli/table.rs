//! Tables and fields in columns, with names that cannot break them.

use super::text::plain;

const GAP: &str = "  ";

/// A table that is written piece by piece: columns are as wide as the widest
/// cell so far, so that nothing has to be held back.
pub(super) struct Table {
    headers: &'static [&'static str],
    widths: Vec<usize>,
    begun: bool,
}

impl Table {
    pub(super) fn new(headers: &'static [&'static str]) -> Self {
        Self {
            headers,
            widths: headers.iter().map(|header| width(header)).collect(),
            begun: false,
        }
    }

    /// The lines of these rows, below the headers if they are the first.
    pub(super) fn piece(&mut self, rows: &[Vec<String>]) -> String {
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.iter().map(|cell| shown(cell)).collect())
            .collect();
        for row in &rows {
            for (widest, cell) in self.widths.iter_mut().zip(row) {
                *widest = width(cell).max(*widest);
            }
        }
        let mut text = String::new();
        if !self.begun {
            self.begun = true;
            self.line(&mut text, self.headers.iter().copied());
        }
        for row in &rows {
            self.line(&mut text, row.iter().map(String::as_str));
        }
        text
    }

    fn line<'c>(&self, text: &mut String, cells: impl Iterator<Item = &'c str>) {
        let start = text.len();
        for (cell, width) in cells.zip(&self.widths) {
            if text.len() > start {
                text.push_str(GAP);
            }
            text.push_str(&padded(cell, *width));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
}

/// Named values, one a line, the values below each other.
pub(super) fn fields(named: &[(&str, String)]) -> String {
    let widest = named.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in named {
        let line = format!("{}{GAP}{}", padded(name, widest), shown(value));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// An empty cell is seen to be empty.
fn shown(cell: &str) -> String {
    if cell.is_empty() {
        "-".to_owned()
    } else {
        plain(cell)
    }
}

fn padded(cell: &str, to: usize) -> String {
    format!("{cell}{}", " ".repeat(to.saturating_sub(width(cell))))
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: [&str; 2]) -> Vec<String> {
        cells.map(str::to_owned).to_vec()
    }

    #[test]
    fn columns_stand_below_each_other() {
        let mut table = Table::new(&["NAME", "STATE"]);
        let text = table.piece(&[row(["ada", "active"]), row(["Grace Hopper", ""])]);
        assert_eq!(
            text,
            "NAME          STATE\nada           active\nGrace Hopper  -\n"
        );
        assert_eq!(table.piece(&[row(["bob", "x"])]), "bob           x\n");
    }

    /// S47: one row stays one line.
    #[test]
    fn s47_a_cell_cannot_forge_a_row() {
        let mut table = Table::new(&["NAME", "STATE"]);
        let text = table.piece(&[row(["a\nroot  active", "\u{1b}[1A"])]);
        assert_eq!(text.lines().count(), 2);
        assert!(text.contains("a\\nroot  active  \\u{1b}[1A"), "{text}");
    }

    #[test]
    fn fields_are_named() {
        let named = [("id", "1".to_owned()), ("user name", String::new())];
        assert_eq!(fields(&named), "id         1\nuser name  -\n");
    }
}
