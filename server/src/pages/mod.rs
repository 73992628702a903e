//! The hosted pages: what they show ([`views`]), how they look (templates and style sheet) and what they say ([`texts`]).
//!
//! Pages are rendered on the server from data alone. They carry no script, no inline style and load nothing from other
//! hosts, so they work under a content security policy without `unsafe-*`. Everything that a person or a provider
//! typed is escaped; no template marks a value as safe.
//!
//! A host replaces a template by a file of the same name in [`PageOptions::template_dir`] (`flow.html`,
//! `console/users.html`, …; `mail/reset.txt` and `mail/reset.html` for a mail) and a text by its key in [`PageOptions::texts`]. Both are read once, at start. A
//! replaced template gets the same data as the built-in one: the fields of its view, `brand_name`, and the functions
//! `t('key', name=value)` and `asset_url('app.css')`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use minijinja::value::{Serde, Value};
use serde::Serialize;

pub mod assets;
mod templates;
pub mod texts;
pub mod views;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub use assets::{ASSET_PATH, Asset, asset, asset_url};
pub(crate) use templates::Templates;
pub use texts::{TextError, Texts};

/// What a host may change about the pages.
#[derive(Debug, Clone)]
pub struct PageOptions {
    /// Folder whose `.html` files replace built-in templates of the same name, or add own ones.
    pub template_dir: Option<PathBuf>,
    /// Texts by key, put over the English table.
    pub texts: BTreeMap<String, String>,
    /// The product's name on every page.
    pub brand_name: String,
}

impl Default for PageOptions {
    fn default() -> Self {
        Self {
            template_dir: None,
            texts: BTreeMap::new(),
            brand_name: "Gatelodge".to_owned(),
        }
    }
}

/// Why pages cannot be prepared, or one cannot be rendered. No variant carries anything a page was to show.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PageError {
    /// The host's template folder cannot be listed.
    #[error("cannot read the template folder `{}`: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A host's template cannot be read, or is not UTF-8.
    #[error("cannot read the template `{}`: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A host's template is larger than any page needs.
    #[error("the template `{}` is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// A template cannot be compiled.
    #[error("the template `{template}` has a mistake in line {line}: {detail}")]
    Syntax {
        /// The host's file, or `built-in <name>`.
        template: String,
        /// Line, counted from 1.
        line: usize,
        /// What the template compiler says.
        detail: String,
    },
    /// A replaced text does not fit the table.
    #[error(transparent)]
    Text(#[from] TextError),
    /// No template has this name.
    #[error("there is no page `{page}`")]
    UnknownPage {
        /// The name asked for.
        page: String,
    },
    /// A template failed on the data it was given.
    #[error("the page `{page}` could not be rendered: {reason} in `{template}`, line {line}")]
    Render {
        /// The page asked for.
        page: String,
        /// The host's file or the built-in template that failed.
        template: String,
        /// Line, counted from 1.
        line: usize,
        /// What went wrong, without any value of the page.
        reason: String,
    },
}

/// A view that knows its template.
pub trait Page: Serialize {
    /// Name of the template, such as `flow.html`.
    const TEMPLATE: &'static str;
}

/// Turns views into HTML. Made once at start; cheap to share behind an `Arc`.
pub struct Renderer {
    templates: Templates,
    built_in: Templates,
    texts: Arc<Texts>,
}

impl std::fmt::Debug for Renderer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Renderer").finish_non_exhaustive()
    }
}

impl Renderer {
    /// Reads and compiles all templates and texts.
    ///
    /// # Errors
    /// A folder or file that cannot be read, a template with a mistake, a text that does not fit; each named.
    pub fn new(options: PageOptions) -> Result<Self, PageError> {
        let texts = Arc::new(Texts::new(&options.texts)?);
        let templates = Templates::load(&options, Arc::clone(&texts))?;
        let built_in = Templates::load(
            &PageOptions {
                template_dir: None,
                ..options
            },
            Arc::clone(&texts),
        )?;
        Ok(Self {
            templates,
            built_in,
            texts,
        })
    }

    /// Renders the template `page` with the fields of `view`.
    ///
    /// # Errors
    /// An unknown page, or a (host's) template that fails on this data. Answer then with [`Self::internal_error`].
    pub fn render(&self, page: &str, view: impl Serialize) -> Result<String, PageError> {
        self.templates.render(page, Value::from(Serde(&view)))
    }

    /// Renders `view` with its own template.
    ///
    /// # Errors
    /// As [`Self::render`].
    pub fn page<P: Page>(&self, view: &P) -> Result<String, PageError> {
        self.render(P::TEMPLATE, view)
    }

    /// The page for a failure of ours. It uses built-in templates only, so a host's mistake cannot break it too.
    #[must_use]
    pub fn internal_error(&self, request_id: Option<&str>) -> String {
        let mut view = views::MessageView::new(views::MessageKind::Internal);
        view.code = Some("internal_error".to_owned());
        view.request_id = request_id.map(str::to_owned);
        let rendered = self
            .built_in
            .render(views::MessageView::TEMPLATE, Value::from(Serde(&view)));
        rendered.unwrap_or_else(|_| LAST_RESORT.to_owned())
    }

    /// A text of the table, for titles and errors that handlers put into views.
    ///
    /// # Errors
    /// An unknown key, or a placeholder without a value.
    pub fn text(&self, key: &str, values: &[(&str, String)]) -> Result<String, PageError> {
        Ok(self.texts.fill(key, values)?)
    }
}

/// Shown when even the built-in error page fails.
const LAST_RESORT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Error</title>\
    <h1>Something broke on our side</h1><p>Please try again.</p></html>\n";
