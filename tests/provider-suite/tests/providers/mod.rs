//! Small providers, each with the flaws it can have.

pub(crate) mod issued_code;
pub(crate) mod keepsake;
pub(crate) mod mailed_link;
pub(crate) mod pin;
pub(crate) mod third_party;

use gatelodge_core::{Error, Result, provider::ProviderTable};

/// The flaw that a table asks for; every other key is unknown.
pub(crate) fn flaw(table: &ProviderTable) -> Result<String> {
    let flaw = table.get("flaw").and_then(|flaw| flaw.as_str());
    let flaw = flaw.unwrap_or_default().to_owned();
    for key in table.keys() {
        if key != "flaw" && flaw != "takes_any_key" {
            return Err(Error::invalid("table", format!("`{key}` is not a key")));
        }
    }
    Ok(flaw)
}

/// The table that asks for a flaw.
pub(crate) fn table(flaw: &str) -> ProviderTable {
    if flaw.is_empty() {
        return ProviderTable::new();
    }
    [("flaw".to_owned(), flaw.into())].into_iter().collect()
}
