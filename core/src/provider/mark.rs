use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A picture by which people know a provider on its button: shapes in a square of
/// 24 by 24 units, the origin at the top left, painted in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mark {
    shapes: Vec<Shape>,
}

/// A filled shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// Path data (SVG 2 section 9.3): letters, digits, `.`, `,`, `-` and blanks, at
    /// most 4,096 of them.
    pub path: String,
    /// Its colour, `#rrggbb`; unset: that of the text beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<String>,
}

impl Mark {
    /// A picture of these shapes.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for what is no path or colour.
    pub fn new(shapes: Vec<Shape>) -> Result<Self> {
        let mark = Self { shapes };
        mark.check()?;
        Ok(mark)
    }

    /// The shapes, in the order in which they are painted.
    pub fn shapes(&self) -> &[Shape] {
        &self.shapes
    }

    /// Whether there is nothing to paint.
    pub fn is_empty(&self) -> bool {
        self.shapes.is_empty()
    }

    /// Pages paint what this lets through as it is.
    pub(super) fn check(&self) -> Result<()> {
        let is_right = |shape: &Shape| {
            let path = (1..=4_096).contains(&shape.path.len())
                && shape
                    .path
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b".,- ".contains(&b));
            path && shape.fill.as_deref().is_none_or(is_colour)
        };
        match self.shapes.len() <= 16 && self.shapes.iter().all(is_right) {
            true => Ok(()),
            false => Err(Error::invalid(
                "mark",
                "expected at most 16 shapes with path data and colours such as `#1877f2`",
            )),
        }
    }
}

fn is_colour(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or_default();
    digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(path: &str, fill: Option<&str>) -> Result<Mark> {
        Mark::new(vec![Shape {
            path: path.to_owned(),
            fill: fill.map(str::to_owned),
        }])
    }

    #[test]
    fn only_path_data_and_colours_are_painted() {
        assert!(mark("M0 0h24v-1.5L3,4z", Some("#1877F2")).is_ok());
        assert!(mark("M0 0z", None).is_ok());
        for (path, fill) in [
            ("", None),
            ("M0 0\"/><script>", None),
            ("M0 0z", Some("red")),
            ("M0 0z", Some("#12345")),
            ("M0 0z", Some("#12345g")),
            ("M0 0z", Some("url(https://evil.example)")),
        ] {
            assert!(mark(path, fill).is_err(), "{path:?} {fill:?}");
        }
        assert!(mark(&"M".repeat(4_097), None).is_err());
    }
}
