//! The configuration file: its values, and the line each stands in.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use figment::value::Dict;
use toml_edit::{ImDocument, Item, TableLike};

use super::error::{Place, Problem};

/// What a configuration file says.
pub(super) struct FileLayer {
    pub(super) values: Dict,
    pub(super) lines: BTreeMap<String, usize>,
}

/// Reads the file that `named_by` named.
pub(super) fn read(path: &Path, named_by: Place) -> Result<FileLayer, Problem> {
    let text = fs::read_to_string(path).map_err(|error| Problem {
        place: named_by,
        key: None,
        text: format!(
            "the configuration file `{}` cannot be read: {error}",
            path.display()
        ),
        hint: None,
    })?;
    // Parsed twice: the document knows lines, the decoder knows values. The decoder's own message would quote the line,
    // and with it perhaps a secret.
    let document = ImDocument::parse(text.as_str()).map_err(|error| {
        let offset = error.span().map(|span| span.start);
        syntax_problem(path, &text, offset, error.message())
    })?;
    let values = toml::from_str(&text).map_err(|error| {
        let offset = error.span().map(|span| span.start);
        syntax_problem(path, &text, offset, error.message())
    })?;
    let mut lines = BTreeMap::new();
    collect(document.as_table(), "", &mut |key, offset| {
        lines.insert(key, line_of(&text, offset));
    });
    Ok(FileLayer { values, lines })
}

fn syntax_problem(
    path: &Path,
    text: &str,
    offset: Option<usize>,
    message: impl fmt::Display,
) -> Problem {
    Problem {
        place: Place::File {
            path: path.to_owned(),
            line: offset.map(|offset| line_of(text, offset)),
        },
        key: None,
        text: format!(
            "not valid TOML: {}",
            message.to_string().trim().replace('\n', ", ")
        ),
        hint: None,
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text
        .bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
}

/// Tells `found` the dotted key and the offset of everything in a table.
fn collect(table: &dyn TableLike, prefix: &str, found: &mut dyn FnMut(String, usize)) {
    for (name, item) in table.iter() {
        let key = join(prefix, name);
        let name_span = table.get_key_value(name).and_then(|(name, _)| name.span());
        if let Some(span) = name_span.or_else(|| item.span()) {
            found(key.clone(), span.start);
        }
        collect_item(item, &key, found);
    }
}

fn collect_item(item: &Item, key: &str, found: &mut dyn FnMut(String, usize)) {
    if let Some(table) = item.as_table_like() {
        collect(table, key, found);
    }
    for (index, table) in item.as_array_of_tables().into_iter().flatten().enumerate() {
        let key = join(key, &index.to_string());
        if let Some(span) = table.span() {
            found(key.clone(), span.start);
        }
        collect(table, &key, found);
    }
    for (index, value) in item.as_array().into_iter().flatten().enumerate() {
        let key = join(key, &index.to_string());
        if let Some(span) = value.span() {
            found(key.clone(), span.start);
        }
        if let Some(table) = value.as_inline_table() {
            collect(table, &key, found);
        }
    }
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}
