//! Every message goes through JSON, as it would between two processes.

use std::any::type_name;

use serde::{Serialize, de::DeserializeOwned};

/// Sends `message` through JSON and back, and checks that it arrived whole.
/// Nothing of it is shown when it did not: it may hold secrets.
pub(crate) fn carry<T: Serialize + DeserializeOwned + PartialEq>(message: &T) -> T {
    let name = type_name::<T>();
    let text = serde_json::to_string(message)
        .unwrap_or_else(|error| panic!("a `{name}` cannot be written as JSON: {error}"));
    let arrived: T = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("a `{name}` cannot be read from its JSON: {error}"));
    assert!(
        arrived == *message,
        "a `{name}` is another one after a way through JSON"
    );
    arrived
}
