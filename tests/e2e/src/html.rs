//! As much of HTML as it takes to fill in the forms of our own pages, which are well-formed.

use std::collections::BTreeMap;

/// A start tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Its attributes; one without a value has an empty one.
    pub attributes: BTreeMap<String, String>,
    /// Where it ends in the text.
    end: usize,
}

/// A form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Where it goes.
    pub action: String,
    /// Its hidden inputs.
    pub hidden: Vec<(String, String)>,
    /// Its other inputs, by name.
    pub inputs: BTreeMap<String, Tag>,
    /// Its text.
    pub html: String,
}

impl Tag {
    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

/// The forms of a page, in order.
pub fn forms(html: &str) -> Vec<Form> {
    let form = |tag: Tag| {
        let rest = &html[tag.end..];
        let inside = rest.split("</form>").next().unwrap_or(rest);
        let inputs = ["input", "select", "textarea"]
            .into_iter()
            .flat_map(|name| tags(inside, name));
        let (hidden, shown): (Vec<Tag>, Vec<Tag>) =
            inputs.partition(|input| input.attribute("type") == Some("hidden"));
        let name = |input: &Tag| input.attribute("name").unwrap_or_default().to_owned();
        let value = |input: &Tag| input.attribute("value").unwrap_or_default().to_owned();
        Form {
            action: tag.attribute("action").unwrap_or_default().to_owned(),
            hidden: hidden
                .iter()
                .map(|input| (name(input), value(input)))
                .collect(),
            inputs: shown
                .into_iter()
                .map(|input| (name(&input), input))
                .collect(),
            html: inside.to_owned(),
        }
    };
    tags(html, "form").into_iter().map(form).collect()
}

/// The start tags called `name`, in order.
pub fn tags(html: &str, name: &str) -> Vec<Tag> {
    let open = format!("<{name}");
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = html[at..].find(&open) {
        let after = at + start + open.len();
        let rest = &html[after..];
        at = after;
        if rest.starts_with(|c: char| c.is_ascii_whitespace() || c == '>' || c == '/') {
            let (attributes, length) = attributes(rest);
            at = after + length;
            found.push(Tag {
                attributes,
                end: at,
            });
        }
    }
    found
}

/// Attributes up to the closing bracket, and how much of the text they are.
fn attributes(text: &str) -> (BTreeMap<String, String>, usize) {
    let mut found = BTreeMap::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if let Some(after) = rest.strip_prefix('>') {
            return (found, text.len() - after.len());
        }
        let Some(end) = rest.find(|c: char| c.is_ascii_whitespace() || "=>/".contains(c)) else {
            return (found, text.len());
        };
        let (name, after) = rest.split_at(end);
        let (value, after) = match after.strip_prefix("=\"") {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => ("", after),
        };
        found.insert(name.to_owned(), unescaped(value));
        rest = after;
    }
}

/// Text with character references replaced, as far as templates write them.
pub fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let (name, tail) = after.split_once(';').unwrap_or((after, ""));
        match character(name) {
            Some(character) => plain.push(character),
            None => plain.push_str(&format!("&{name};")),
        }
        rest = tail;
    }
    plain.push_str(rest);
    plain
}

fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

/// What is read on a page: its text without tags, each run of white space one space.
pub fn text(html: &str) -> String {
    let body = html.split_once("<body").map_or(html, |(_, body)| body);
    let mut plain = String::new();
    let mut inside = true;
    for character in body.chars() {
        match character {
            '<' => inside = true,
            '>' => {
                inside = false;
                plain.push(' ');
            }
            character if !inside => plain.push(character),
            _ => {}
        }
    }
    unescaped(&plain)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_with_its_hidden_and_other_inputs() {
        let page = r#"<body class="x"><form method="post" action="/t/a&amp;b/sign-in"><input type="hidden" name="flow"
            value="1&#x2f;2"><label for="a">Name</label><input id="a" name="user_name" required
            autocomplete="username"></form><form action="/other"></form>"#;
        let forms = forms(page);
        assert_eq!(forms.len(), 2);
        assert_eq!(forms[0].action, "/t/a&b/sign-in");
        assert_eq!(forms[0].hidden, [("flow".to_owned(), "1/2".to_owned())]);
        let input = &forms[0].inputs["user_name"];
        assert_eq!(input.attribute("autocomplete"), Some("username"));
        assert_eq!(input.attribute("required"), Some(""));
    }

    #[test]
    fn text_is_what_is_read() {
        assert_eq!(
            text("<title>x</title><body><p>A &amp;\n  b</p><p>c&#x27;s</p>"),
            "A & b c's"
        );
    }
}
