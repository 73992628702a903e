//! Loading: defaults, below the file, below the environment, below the command line.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, sync::Arc};

use figment::{
    Figment, Metadata, Profile, Provider,
    util::nest,
    value::{Dict, Map, Value},
};

use crate::plugins::DEFAULT_KINDS;

use super::{
    Config, decode,
    environment::{EnvironmentLayer, ProviderSetting},
    error::{ConfigError, Finding, Place, Problem},
    file,
    origin::{self, OriginPolicy},
    rules, secret,
    sources::Sources,
    storage::StorageUrl,
};

/// What the command line says. It wins over environment and file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--config`: the configuration file. `GATELODGE_CONFIG` stands for it. No file is read unless one is named.
    pub config: Option<PathBuf>,
    /// `--data-dir`: `server.data_dir`. `GATELODGE_DATA_DIR` stands for it.
    pub data_dir: Option<PathBuf>,
    /// `--listen`: `server.listen`. `GATELODGE_LISTEN` stands for it.
    pub listen: Option<String>,
    /// `--demo`: sample data in a throw-away folder. The caller makes that folder and names it in `data_dir`; a database
    /// or master key that file or environment name is refused, so that sample data never meets real data.
    pub demo: bool,
}

/// A configuration that was found good, and where each value came from.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration in force: paths as the program must open them, secrets read from their files.
    pub config: Config,
    pub(super) sources: Arc<Sources>,
    warnings: Vec<Problem>,
}

impl Loaded {
    /// What is allowed and probably not meant, in words for the log.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// [`super::resolve_origin`] for the address that was really bound, with errors that name file and line.
    pub fn origin_policy(&self, listen: SocketAddr) -> Result<OriginPolicy, ConfigError> {
        origin::find_policy(&self.config, listen).map_err(|finding| self.at(finding).into())
    }

    /// An error about a key of the configuration, found by whoever uses it: "must be …".
    pub fn error(&self, key: &str, expectation: impl std::fmt::Display) -> ConfigError {
        self.at(Finding::new(key, expectation)).into()
    }

    fn at(&self, finding: Finding) -> Problem {
        at(&self.sources, finding)
    }
}

fn at(sources: &Sources, finding: Finding) -> Problem {
    let place = sources.place(&finding.key);
    finding.at(place)
}

/// Loads the configuration and checks it. Reads the configuration file and the files of secrets; writes nothing.
///
/// `environment` is usually `std::env::vars_os()`. Every problem that can be told apart is told, not only the first.
pub fn load<E, K, V>(overrides: &Overrides, environment: E) -> Result<Loaded, ConfigError>
where
    E: IntoIterator<Item = (K, V)>,
    K: Into<OsString>,
    V: Into<OsString>,
{
    let environment = environment
        .into_iter()
        .map(|(name, value)| (name.into(), value.into()));
    let mut environment = EnvironmentLayer::read(environment);
    let mut problems = std::mem::take(&mut environment.problems);
    let mut sources = Sources::default();

    let file = read_file(overrides, &environment, &mut sources)?;
    sources.environment = std::mem::take(&mut environment.variables);
    let command_line = command_line(overrides, &mut sources)?;

    let mut values: Dict = Figment::new()
        .merge(Layer("file", file))
        .merge(Layer("environment", environment.values))
        .merge(Layer("command line", command_line))
        .extract()
        .map_err(|error| ConfigError::from(decode::describe(&error, "", &sources)))?;
    keep_default_providers(&mut values);
    problems.extend(set_in_providers(
        environment.provider_settings,
        &mut values,
        &mut sources,
    ));

    let mut config = match decode::decode::<Config>(Value::from(values), |error| {
        decode::describe(error, "", &sources)
    }) {
        Ok(config) => config,
        Err(error) => {
            problems.extend_from_slice(error.problems());
            Config::default()
        }
    };
    // Values that could not be decoded would only lead to further, misleading problems.
    ConfigError::check(problems)?;

    let mut findings = demo_findings(&config, overrides);
    resolve_paths(&mut config, &sources);
    let sources = Arc::new(sources);
    for (index, provider) in config.providers.iter_mut().enumerate() {
        provider
            .settings
            .written(format!("providers.{index}"), &sources);
    }
    config
        .storage
        .settings
        .written("storage".to_owned(), &sources);
    let mut warnings = rules::warnings(&config);
    read_secrets(&mut config, &mut findings, &mut warnings);
    findings.extend(rules::problems(&config));
    ConfigError::check(
        findings
            .into_iter()
            .map(|finding| at(&sources, finding))
            .collect(),
    )?;
    let warnings = warnings
        .into_iter()
        .map(|finding| at(&sources, finding))
        .collect();
    Ok(Loaded {
        config,
        sources,
        warnings,
    })
}

/// Loads the configuration only to say what is wrong with it, or, if nothing is, what is unwise.
pub fn check<E, K, V>(overrides: &Overrides, environment: E) -> Result<Vec<Problem>, ConfigError>
where
    E: IntoIterator<Item = (K, V)>,
    K: Into<OsString>,
    V: Into<OsString>,
{
    load(overrides, environment).map(|loaded| loaded.warnings)
}

/// One layer of values. Where each came from is kept in [`Sources`], which knows lines and variables.
struct Layer(&'static str, Dict);

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.0)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.1.clone())]))
    }
}

fn read_file(
    overrides: &Overrides,
    environment: &EnvironmentLayer,
    sources: &mut Sources,
) -> Result<Dict, ConfigError> {
    let named = match (&overrides.config, &environment.config) {
        (Some(path), _) => Some((path, Place::CommandLine("--config"))),
        (None, Some(path)) => Some((path, Place::Environment("GATELODGE_CONFIG".to_owned()))),
        (None, None) => None,
    };
    let Some((path, named_by)) = named else {
        return Ok(Dict::new());
    };
    let layer = file::read(path, named_by)?;
    sources.file = Some(path.clone());
    sources.lines = layer.lines;
    Ok(layer.values)
}

fn command_line(overrides: &Overrides, sources: &mut Sources) -> Result<Dict, ConfigError> {
    let mut server = Dict::new();
    if let Some(listen) = &overrides.listen {
        sources
            .command_line
            .insert("server.listen".to_owned(), "--listen");
        server.insert("listen".to_owned(), Value::from(listen.as_str()));
    }
    if let Some(folder) = &overrides.data_dir {
        sources
            .command_line
            .insert("server.data_dir".to_owned(), "--data-dir");
        let Some(folder) = folder.to_str() else {
            return Err(at(sources, Finding::new("server.data_dir", "must be UTF-8")).into());
        };
        server.insert("data_dir".to_owned(), Value::from(folder));
    }
    Ok(if server.is_empty() {
        server
    } else {
        Dict::from([("server".to_owned(), Value::from(server))])
    })
}

/// Sets what the environment says of single providers in their tables, which are found by their id.
fn set_in_providers(
    settings: Vec<ProviderSetting>,
    values: &mut Dict,
    sources: &mut Sources,
) -> Vec<Problem> {
    if settings.is_empty() {
        return Vec::new();
    }
    let tables = values
        .entry("providers".to_owned())
        .or_insert_with(default_providers);
    let Value::Array(_, tables) = tables else {
        return Vec::new();
    };
    let mut problems = Vec::new();
    for setting in settings {
        let found = tables
            .iter_mut()
            .enumerate()
            .find_map(|(index, table)| match table {
                Value::Dict(_, table)
                    if id_of(table).is_some_and(|id| id.replace('-', "_") == setting.id) =>
                {
                    Some((index, table))
                }
                _ => None,
            });
        match found {
            Some((index, table)) => {
                sources.environment.insert(
                    format!("providers.{index}.{}", setting.key),
                    setting.variable,
                );
                set_nested(table, &setting.key, setting.value);
            }
            None => problems.push(Problem {
                place: Place::Environment(setting.variable),
                key: None,
                text: format!("no provider has the id `{}`", setting.id),
                hint: None,
            }),
        }
    }
    problems
}

/// What is there by itself stays beside a list that names nothing of it, such as a
/// connection to a third party: nobody is locked out by adding one. It comes last, so
/// that the tables of the file keep their numbers.
fn keep_default_providers(values: &mut Dict) {
    let Some(Value::Array(_, tables)) = values.get_mut("providers") else {
        return;
    };
    let is_named = tables.iter().any(|table| {
        let kind = table.as_dict().and_then(|table| table.get("kind"));
        kind.and_then(Value::as_str)
            .is_some_and(|kind| DEFAULT_KINDS.contains(&kind))
    });
    if let (false, Value::Array(_, own)) = (is_named || tables.is_empty(), default_providers()) {
        tables.extend(own);
    }
}

fn default_providers() -> Value {
    let table = |kind: &&str| Value::from(Dict::from([("kind".to_owned(), Value::from(*kind))]));
    DEFAULT_KINDS.iter().map(table).collect::<Vec<_>>().into()
}

fn id_of(table: &Dict) -> Option<&str> {
    table.get("id").or_else(|| table.get("kind"))?.as_str()
}

fn set_nested(table: &mut Dict, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((first, rest)) => match table.get_mut(first) {
            Some(Value::Dict(_, inner)) => set_nested(inner, rest, value),
            _ => {
                table.insert(first.to_owned(), nest(rest, value));
            }
        },
    }
}

/// A demo must not touch what is real.
fn demo_findings(config: &Config, overrides: &Overrides) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !overrides.demo {
        return findings;
    }
    if overrides.data_dir.is_none() {
        findings.push(Finding::new(
            "server.data_dir",
            "must be a throw-away folder of the demo",
        ));
    }
    let set = [
        ("storage.url", config.storage.url.is_some()),
        ("storage.url_file", config.storage.url_file.is_some()),
        ("keys.master_key", config.keys.master_key.is_some()),
        (
            "keys.master_key_file",
            config.keys.master_key_file.is_some(),
        ),
        ("backup.folder", config.backup.folder.is_some()),
    ];
    for (key, _) in set.into_iter().filter(|(_, is_set)| *is_set) {
        let finding = Finding::new(key, "is set, and a demo uses only its own folder");
        findings.push(finding.hint("run the demo without it"));
    }
    findings
}

fn resolve_paths(config: &mut Config, sources: &Sources) {
    let Config {
        server,
        storage,
        keys,
        backup,
        mail,
        sms,
        pages,
        ..
    } = config;
    server.data_dir = sources.resolve("server.data_dir", &server.data_dir);
    let optional = [
        ("storage.url_file", &mut storage.url_file),
        ("keys.master_key_file", &mut keys.master_key_file),
        ("backup.folder", &mut backup.folder),
        ("mail.password_file", &mut mail.password_file),
        ("mail.ca_file", &mut mail.ca_file),
        ("mail.folder", &mut mail.folder),
        ("sms.secret_file", &mut sms.secret_file),
        ("pages.template_dir", &mut pages.template_dir),
        ("pages.texts_file", &mut pages.texts_file),
    ];
    for (key, path) in optional {
        if let Some(path) = path {
            *path = sources.resolve(key, path);
        }
    }
    if let Some(folder) = sources.folder("storage.url") {
        storage.url = storage.url.take().map(|url| url.relative_to(&folder));
    }
}

/// Reads the files of secrets, and fills in what follows from the data folder.
fn read_secrets(config: &mut Config, findings: &mut Vec<Finding>, warnings: &mut Vec<Finding>) {
    let Config {
        server,
        storage,
        keys,
        mail,
        sms,
        ..
    } = config;
    let twins = [
        (
            "mail.password",
            &mut mail.password,
            mail.password_file.as_deref(),
        ),
        ("sms.secret", &mut sms.secret, sms.secret_file.as_deref()),
    ];
    for (key, value, file) in twins {
        match read_twin(key, value, file) {
            Ok(warning) => warnings.extend(warning),
            Err(finding) => findings.push(finding),
        }
    }
    if storage.url.is_some() && storage.url_file.is_some() {
        findings.push(
            Finding::new("storage.url", "and `url_file` are both set").hint("keep one of them"),
        );
    } else if let Some(path) = &storage.url_file {
        match read_url(path) {
            Ok((url, warning)) => {
                storage.url = Some(url);
                warnings.extend(warning);
            }
            Err(finding) => findings.push(finding),
        }
    }
    if storage.url.is_none() && storage.url_file.is_none() {
        storage.url = Some(StorageUrl::embedded_in(&server.data_dir));
    }
    if keys.master_key.is_some() {
        if keys.master_key_file.is_some() {
            findings.push(
                Finding::new("keys.master_key", "and `master_key_file` are both set")
                    .hint("keep one of them"),
            );
        }
        return;
    }
    let path = keys
        .master_key_file
        .get_or_insert_with(|| server.data_dir.join("master.key"));
    // A file that is not there yet is made at first start.
    if path.exists() {
        match secret::check_secret_file("keys.master_key_file", path) {
            Ok(warning) => warnings.extend(warning),
            Err(finding) => findings.push(finding),
        }
    }
}

/// Reads the file of a secret, if it is in one.
fn read_twin(
    key: &str,
    value: &mut Option<secret::Secret>,
    file: Option<&std::path::Path>,
) -> Result<Option<Finding>, Finding> {
    let Some(path) = file else {
        return Ok(None);
    };
    if value.is_some() {
        let finding = Finding::new(key, "and its file are both set");
        return Err(finding.hint("keep one of them"));
    }
    let file = secret::read_secret_file(&format!("{key}_file"), path)?;
    *value = Some(file.secret);
    Ok(file.warning)
}

fn read_url(path: &std::path::Path) -> Result<(StorageUrl, Option<Finding>), Finding> {
    let file = secret::read_secret_file("storage.url_file", path)?;
    let url = file.secret.expose().parse();
    let url = url.map_err(|_| {
        Finding::new(
            "storage.url_file",
            format!(
                "names a file that holds no address of a database, `{}`",
                path.display()
            ),
        )
    })?;
    Ok((url, file.warning))
}
