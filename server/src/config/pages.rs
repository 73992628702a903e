//! `[pages]`: how the hosted pages look.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the hosted pages look.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PagesConfig {
    /// Name shown on the pages.
    #[schemars(length(min = 1, max = 100), example = &"Example Ltd")]
    pub brand_name: String,
    /// Whether the form offers to remember tenant and user name, and nothing else, in the browser.
    pub remember_name: bool,
    /// Folder with templates that replace those of the same file name inside the program.
    pub template_dir: Option<PathBuf>,
    /// File with texts that replace those inside the program.
    pub texts_file: Option<PathBuf>,
}

impl Default for PagesConfig {
    fn default() -> Self {
        Self {
            brand_name: "Gatelodge".to_owned(),
            remember_name: false,
            template_dir: None,
            texts_file: None,
        }
    }
}
