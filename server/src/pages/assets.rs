//! Style sheet and pictures of the pages, compiled into the binary.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use rust_embed::RustEmbed;

/// Where the server serves [`asset`] from.
pub const ASSET_PATH: &str = "/assets/";

/// How many hexadecimal digits of the SHA-256 go into an address.
const HASH_DIGITS: usize = 16;

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Files;

/// A file that pages load, ready to be answered.
#[derive(Debug, Clone)]
pub struct Asset {
    /// The content.
    pub bytes: Cow<'static, [u8]>,
    /// Media type, with charset where there is one.
    pub content_type: &'static str,
    /// Value of the `ETag` header, in quotes: the content's SHA-256.
    pub etag: String,
    /// Value of the `Cache-Control` header: a year under a hashed name, revalidation under the plain one.
    pub cache_control: &'static str,
}

struct Table {
    assets: BTreeMap<String, Asset>,
    urls: BTreeMap<String, String>,
}

static TABLE: LazyLock<Table> = LazyLock::new(Table::load);

/// The asset at `path`, which is what follows [`ASSET_PATH`], under its hashed or its plain name.
#[must_use]
pub fn asset(path: &str) -> Option<&'static Asset> {
    TABLE.assets.get(path)
}

/// The address of the asset `name`. It changes with the content, so it may be cached for ever.
#[must_use]
pub fn asset_url(name: &str) -> Option<&'static str> {
    TABLE.urls.get(name).map(String::as_str)
}

impl Table {
    fn load() -> Self {
        let mut table = Self {
            assets: BTreeMap::new(),
            urls: BTreeMap::new(),
        };
        for name in Files::iter() {
            if let (Some(file), Some(content_type)) = (Files::get(&name), content_type(&name)) {
                table.add(&name, content_type, file);
            }
        }
        table
    }

    fn add(&mut self, name: &str, content_type: &'static str, file: rust_embed::EmbeddedFile) {
        let hash =
            file.metadata
                .sha256_hash()
                .iter()
                .fold(String::with_capacity(64), |mut text, byte| {
                    // Writing into a string cannot fail.
                    let _ = write!(text, "{byte:02x}");
                    text
                });
        let plain = Asset {
            bytes: file.data,
            content_type,
            etag: format!("\"{hash}\""),
            cache_control: "no-cache",
        };
        let hashed_name = hashed_name(name, hash.get(..HASH_DIGITS).unwrap_or(&hash));
        let hashed = Asset {
            cache_control: "public, max-age=31536000, immutable",
            ..plain.clone()
        };
        self.urls
            .insert(name.to_owned(), format!("{ASSET_PATH}{hashed_name}"));
        self.assets.insert(hashed_name, hashed);
        self.assets.insert(name.to_owned(), plain);
    }
}

fn hashed_name(name: &str, hash: &str) -> String {
    match name.rsplit_once('.') {
        Some((stem, extension)) => format!("{stem}-{hash}.{extension}"),
        None => format!("{name}-{hash}"),
    }
}

/// Only these kinds are served; anything else in the folder is no asset.
fn content_type(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "css" => Some("text/css; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        "png" => Some("image/png"),
        "ico" => Some("image/x-icon"),
        "js" => Some("text/javascript; charset=utf-8"),
        "woff2" => Some("font/woff2"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hashed_address_leads_to_the_asset_and_may_be_kept_for_ever() {
        let url = asset_url("app.css").unwrap();
        let found = asset(url.strip_prefix(ASSET_PATH).unwrap()).unwrap();
        assert!(found.cache_control.contains("immutable"));
        assert_eq!(found.content_type, "text/css; charset=utf-8");
        assert_eq!(found.etag.len(), 66);
    }

    #[test]
    fn the_plain_name_works_and_is_revalidated() {
        assert_eq!(asset("mark.svg").unwrap().cache_control, "no-cache");
    }

    #[test]
    fn an_unknown_hash_or_a_path_out_of_the_folder_is_no_asset() {
        for path in ["app-0000000000000000.css", "../Cargo.toml", "", "/app.css"] {
            assert!(asset(path).is_none(), "{path}");
        }
    }
}
