//! The template environment: built-in templates, a host's own over them, and the functions they may call.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};
use rust_embed::RustEmbed;

use super::assets::asset_url;
use super::texts::{TextError, Texts};
use super::{PageError, PageOptions};

/// Steps one page may take. The longest built-in page takes about a twentieth of it.
const FUEL: u64 = 2_000_000;
/// Largest template file that is read from a host's folder, in bytes.
const MAX_TEMPLATE_BYTES: u64 = 512 * 1024;
/// How deep folders are followed below a host's template folder.
const MAX_DEPTH: usize = 4;

#[derive(RustEmbed)]
#[folder = "templates/"]
struct BuiltIn;

#[derive(RustEmbed)]
#[folder = "messages/"]
struct BuiltInMessages;

/// Where a host's own templates of messages lie, in the same folder as those of pages.
const MESSAGES: [&str; 2] = ["mail/", "sms/"];

/// A compiled set of templates.
pub(crate) struct Templates {
    environment: Environment<'static>,
    /// Template name → the host's file it came from.
    replaced: BTreeMap<String, PathBuf>,
}

impl Templates {
    /// Compiles every template, so that a mistake shows at start and not on somebody's sign-in.
    pub(super) fn load(options: &PageOptions, texts: Arc<Texts>) -> Result<Self, PageError> {
        let is_page = |name: &str| name.ends_with(".html") && !is_message(name);
        let mut templates = Self::empty(options, texts);
        templates.embedded::<BuiltIn>(is_page)?;
        templates.replacements(options, is_page)?;
        Ok(templates)
    }

    /// The same of messages: `mail/<name>.txt` and `.html`, `sms/<name>.txt`.
    pub(crate) fn load_messages(
        options: &PageOptions,
        texts: Arc<Texts>,
    ) -> Result<Self, PageError> {
        let mut templates = Self::empty(options, texts);
        templates.embedded::<BuiltInMessages>(is_message)?;
        templates.replacements(options, is_message)?;
        Ok(templates)
    }

    fn empty(options: &PageOptions, texts: Arc<Texts>) -> Self {
        Self {
            environment: environment(&options.brand_name, texts),
            replaced: BTreeMap::new(),
        }
    }

    fn embedded<E: RustEmbed>(&mut self, is_meant: impl Fn(&str) -> bool) -> Result<(), PageError> {
        for name in E::iter().filter(|name| is_meant(name)) {
            if let Some(file) = E::get(&name) {
                let source = String::from_utf8_lossy(&file.data).into_owned();
                self.add(&name, source, None)?;
            }
        }
        Ok(())
    }

    fn replacements(
        &mut self,
        options: &PageOptions,
        is_meant: impl Fn(&str) -> bool,
    ) -> Result<(), PageError> {
        let Some(folder) = &options.template_dir else {
            return Ok(());
        };
        for (name, path) in host_files(folder)? {
            if is_meant(&name) {
                let source = read_template(&path)?;
                self.add(&name, source, Some(path))?;
            }
        }
        Ok(())
    }

    fn add(&mut self, name: &str, source: String, file: Option<PathBuf>) -> Result<(), PageError> {
        let origin = file
            .as_ref()
            .map_or_else(|| built_in(name), |path| path.display().to_string());
        if let Some(path) = file {
            self.replaced.insert(name.to_owned(), path);
        }
        self.environment
            .add_template_owned(name.to_owned(), source)
            .map_err(|error| PageError::Syntax {
                template: origin,
                line: error.line().unwrap_or(0),
                detail: error
                    .detail()
                    .map_or_else(|| error.kind().to_string(), str::to_owned),
            })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.environment.get_template(name).is_ok()
    }

    pub(crate) fn render(&self, page: &str, view: Value) -> Result<String, PageError> {
        let template = self
            .environment
            .get_template(page)
            .map_err(|_| PageError::UnknownPage {
                page: page.to_owned(),
            })?;
        template
            .render(view)
            .map_err(|error| self.render_error(page, &error))
    }

    /// Names place and kind only: the engine's own details may quote what was to be shown, secrets included.
    fn render_error(&self, page: &str, error: &Error) -> PageError {
        let mut innermost = error;
        let mut reason = None;
        let mut next = std::error::Error::source(error);
        while let Some(source) = next {
            if let Some(inner) = source.downcast_ref::<Error>() {
                innermost = inner;
            }
            if let Some(text) = source.downcast_ref::<TextError>() {
                reason = Some(text.to_string());
            }
            next = source.source();
        }
        let name = innermost.name().or_else(|| error.name()).unwrap_or(page);
        PageError::Render {
            page: page.to_owned(),
            template: self
                .replaced
                .get(name)
                .map_or_else(|| built_in(name), |path| path.display().to_string()),
            line: innermost.line().or_else(|| error.line()).unwrap_or(0),
            reason: reason.unwrap_or_else(|| innermost.kind().to_string()),
        }
    }

    #[cfg(test)]
    pub(super) fn built_in_sources() -> BTreeMap<String, String> {
        BuiltIn::iter()
            .filter_map(|name| BuiltIn::get(&name).map(|file| (name.to_string(), file)))
            .map(|(name, file)| (name, String::from_utf8_lossy(&file.data).into_owned()))
            .collect()
    }

    #[cfg(test)]
    pub(crate) fn built_in_messages() -> BTreeMap<String, String> {
        BuiltInMessages::iter()
            .filter_map(|name| BuiltInMessages::get(&name).map(|file| (name.to_string(), file)))
            .map(|(name, file)| (name, String::from_utf8_lossy(&file.data).into_owned()))
            .collect()
    }
}

fn built_in(name: &str) -> String {
    format!("built-in {name}")
}

fn environment(brand_name: &str, texts: Arc<Texts>) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    // Debug information holds the values of a page.
    environment.set_debug(false);
    environment.set_auto_escape_callback(|name| match name.ends_with(".txt") {
        true => AutoEscape::None,
        false => AutoEscape::Html,
    });
    if let Ok(syntax) = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
    {
        environment.set_syntax(syntax);
    }
    environment.add_global("brand_name", brand_name);
    environment.add_function("asset_url", |name: &str| {
        asset_url(name)
            .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "no asset has this name"))
    });
    environment.add_function("t", move |key: &str, values: Kwargs| {
        text(&texts, key, &values)
    });
    environment
}

fn text(texts: &Texts, key: &str, values: &Kwargs) -> Result<String, Error> {
    let names: Vec<&str> = values.args().collect();
    let mut given = Vec::with_capacity(names.len());
    for name in names {
        given.push((name, values.get::<Value>(name)?.to_string()));
    }
    texts.fill(key, &given).map_err(|error| {
        Error::new(ErrorKind::InvalidOperation, "a text is missing").with_source(error)
    })
}

/// Whether it is the template of a message.
fn is_message(name: &str) -> bool {
    let is_text = name.ends_with(".html") || name.ends_with(".txt");
    is_text && MESSAGES.iter().any(|folder| name.starts_with(folder))
}

/// Finds the templates below `folder`, by the name they are known under.
fn host_files(folder: &Path) -> Result<BTreeMap<String, PathBuf>, PageError> {
    let mut found = BTreeMap::new();
    let mut open = vec![(folder.to_owned(), String::new(), 0)];
    while let Some((path, prefix, depth)) = open.pop() {
        let unreadable = |source| PageError::Folder {
            path: path.clone(),
            source,
        };
        for entry in fs::read_dir(&path).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let Some(file_name) = entry.file_name().to_str().map(str::to_owned) else {
                continue;
            };
            let name = format!("{prefix}{file_name}");
            if entry.path().is_dir() {
                if depth < MAX_DEPTH {
                    open.push((entry.path(), format!("{name}/"), depth + 1));
                }
            } else if file_name.ends_with(".html") || file_name.ends_with(".txt") {
                found.insert(name, entry.path());
            }
        }
    }
    Ok(found)
}

fn read_template(path: &Path) -> Result<String, PageError> {
    let unreadable = |source| PageError::File {
        path: path.to_owned(),
        source,
    };
    if fs::metadata(path).map_err(unreadable)?.len() > MAX_TEMPLATE_BYTES {
        return Err(PageError::TooLarge {
            path: path.to_owned(),
            limit: MAX_TEMPLATE_BYTES,
        });
    }
    fs::read_to_string(path).map_err(unreadable)
}
