use serde_json::Value;

/// A body with what differs by chance taken out: ids, times, cursors.
pub(crate) fn redacted(mut value: Value) -> Value {
    walk(&mut value);
    value
}

fn walk(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(walk),
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                if name == "next_cursor" && value.is_string() {
                    *value = "<cursor>".into();
                } else {
                    walk(value);
                }
            }
        }
        Value::String(text) => {
            if uuid::Uuid::try_parse(text).is_ok() {
                *value = "<id>".into();
            } else if text.parse::<jiff::Timestamp>().is_ok() {
                *value = "<time>".into();
            } else if gatelodge_core::secret::Token::parse(text).is_some() {
                *value = "<token>".into();
            }
        }
        _ => {}
    }
}
