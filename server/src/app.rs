//! What the server is made of: opening the platform from a configuration, and
//! the state that every request sees.

use std::{
    fs, io,
    io::{Read as _, Write as _},
    net::SocketAddr,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use gatelodge_core::{
    Environment, Parts, Platform,
    seal::{KeyRing, MasterKey},
    storage::Storage,
};
use zeroize::Zeroizing;

use crate::{
    config::{ConfigError, Loaded, OriginPolicy},
    gatelodge::page_options,
    http::{request_id::RequestIds, series::Series},
    messages::messages,
    outbound::Guarded,
    pages::{PageError, Renderer},
    plugins,
};

/// Sessions held in memory: about 100 MB when full, which only a busy server is.
const SESSION_MEMORY: usize = 100_000;

/// Why the server or a command cannot start. Its text is for the person at the
/// terminal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database cannot be opened, or the platform in it.
    #[error("{0}")]
    Platform(#[from] gatelodge_core::Error),
    /// The pages cannot be prepared.
    #[error(transparent)]
    Pages(#[from] PageError),
    /// A file or an address cannot be used.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// Anything else, in words.
    #[error("{0}")]
    Other(String),
}

impl StartError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// What a platform is opened for.
#[derive(Debug, Clone, Copy)]
pub enum Opening {
    /// To serve at this address: what is missing is made.
    Serve(SocketAddr),
    /// For one command: nothing is made.
    Command,
}

/// Opens the platform.
///
/// # Errors
/// Everything that [`StartError`] says, in words for the person at the terminal.
pub async fn open_platform(loaded: &Loaded, opening: Opening) -> Result<Platform, StartError> {
    let config = &loaded.config;
    let listen = match opening {
        Opening::Serve(listen) => listen,
        Opening::Command => config.server.listen,
    };
    let policy = loaded.origin_policy(listen)?;
    let providers = plugins::providers(config)?;
    let messages = messages(loaded, &policy, &page_options(loaded)?)?;
    if matches!(opening, Opening::Command)
        && let Some(file) = plugins::embedded_file(&loaded.config.storage)
        && !file.exists()
    {
        return Err(StartError::Other(format!(
            "there is no database at `{}` yet; start the server once with `gatelodge serve`",
            file.display()
        )));
    }
    // Where several servers share one database, each is given the same key.
    let make_key = matches!(opening, Opening::Serve(_))
        && plugins::embedded_file(&loaded.config.storage).is_some();
    // A key that cannot be used is refused before any data is touched.
    let known_key = known_key(loaded)?;
    let storage = plugins::storage(&loaded.config.storage).await?;
    let master_key = match known_key {
        Some(key) => key,
        None => first_key(loaded, storage.as_ref(), make_key).await?,
    };
    let platform = Platform::open(Parts {
        storage,
        environment: Environment::system(),
        master_key,
        providers,
        settings: config.effective_settings(),
        limits: config.limit_policy(),
        messages,
        outbound: Arc::new(Guarded::new(&config.outbound)),
        origins: policy.origins().clone(),
        session_memory: SESSION_MEMORY,
        key_policy: config.key_policy(),
    })
    .await?;
    Ok(platform)
}

/// The master key for a database that a backup is restored into; none is made.
///
/// # Errors
/// When there is none, or it cannot be used.
pub(crate) fn key_for_restore(loaded: &Loaded) -> Result<MasterKey, StartError> {
    known_key(loaded)?.ok_or_else(|| {
        let message = format!(
            "names `{}`, which is not there; a backup is worth nothing without the master key of the installation it \
             was made of: put that there",
            key_file(loaded).display()
        );
        loaded.error("keys.master_key_file", message).into()
    })
}

/// The master key that the configuration or its file holds; `None` when there is
/// no file yet.
fn known_key(loaded: &Loaded) -> Result<Option<MasterKey>, StartError> {
    if let Some(key) = &loaded.config.keys.master_key {
        let key = parse_key(key.expose());
        return key
            .map(Some)
            .ok_or_else(|| wrong_key(loaded, "keys.master_key"));
    }
    let path = key_file(loaded);
    match read_private(&path) {
        Ok(text) => parse_key(&text)
            .map(Some)
            .ok_or_else(|| wrong_key(loaded, "keys.master_key_file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(loaded
            .error(
                "keys.master_key_file",
                format!("names `{}`, which cannot be read: {error}", path.display()),
            )
            .into()),
    }
}

/// A new master key, for an installation that has sealed nothing yet.
async fn first_key(
    loaded: &Loaded,
    storage: &dyn Storage,
    make: bool,
) -> Result<MasterKey, StartError> {
    let path = key_file(loaded);
    let exists = KeyRing::exists(storage).await?;
    if make && !exists {
        return make_key(&path);
    }
    let what = if exists {
        "the data in this database can only be opened with the key it was made with: put that file back"
    } else {
        "every server on this database needs the same key: make one with `openssl rand -base64 32`, and give it to \
         each in this file or as `keys.master_key`"
    };
    let message = format!("names `{}`, which is not there; {what}", path.display());
    Err(loaded.error("keys.master_key_file", message).into())
}

fn key_file(loaded: &Loaded) -> PathBuf {
    let configured = loaded.config.keys.master_key_file.clone();
    configured.unwrap_or_else(|| loaded.config.server.data_dir.join("master.key"))
}

fn wrong_key(loaded: &Loaded, key: &str) -> StartError {
    loaded
        .error(
            key,
            "must be 32 bytes in base64, such as `openssl rand -base64 32` makes",
        )
        .into()
}

fn parse_key(text: &str) -> Option<MasterKey> {
    let mut bytes = Zeroizing::new([0_u8; 33]);
    let read = STANDARD
        .decode_slice(text.trim(), bytes.as_mut_slice())
        .ok()?;
    let key: [u8; 32] = bytes.get(..read)?.try_into().ok()?;
    Some(MasterKey::new(key))
}

fn read_private(path: &Path) -> io::Result<Zeroizing<String>> {
    let mut file = fs::File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.permissions().mode() & 0o077 != 0 {
        tracing::warn!(
            file = %path.display(),
            "the master key can be read by other accounts of this machine: `chmod 600` it"
        );
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// Makes the key under another name first, so that a file of that name is
/// always whole; of two servers that start at once, one's key stays.
fn make_key(path: &Path) -> Result<MasterKey, StartError> {
    let failed = || {
        StartError::io(format!(
            "the master key file `{}` cannot be made",
            path.display()
        ))
    };
    let bytes = Zeroizing::new(Environment::system().bytes::<32>());
    let text = Zeroizing::new(STANDARD.encode(bytes.as_slice()));
    let id = Environment::system().uuid();
    let draft: PathBuf = path.with_file_name(format!("master.key.{id}"));
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()
        })
        .and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other.and(removed).map_err(failed())?,
    }
    let text = read_private(path).map_err(failed())?;
    parse_key(&text).ok_or_else(|| StartError::Other("the master key was not written".to_owned()))
}

/// What every request sees; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    platform: Platform,
    policy: OriginPolicy,
    renderer: Renderer,
    config: crate::config::Config,
    request_ids: RequestIds,
    series: Series,
}

impl App {
    /// Puts the parts together.
    pub fn new(
        platform: Platform,
        policy: OriginPolicy,
        renderer: Renderer,
        config: crate::config::Config,
    ) -> Self {
        Self(Arc::new(Inner {
            platform,
            policy,
            renderer,
            config,
            request_ids: RequestIds::default(),
            series: Series::default(),
        }))
    }

    /// An id for a request that begins.
    pub(crate) fn new_request_id(&self) -> String {
        self.0.request_ids.next()
    }

    /// What counts requests.
    pub(crate) fn series(&self) -> &Series {
        &self.0.series
    }

    /// The platform.
    pub fn platform(&self) -> &Platform {
        &self.0.platform
    }

    /// What follows from the origin.
    pub fn policy(&self) -> &OriginPolicy {
        &self.0.policy
    }

    /// The pages.
    pub fn renderer(&self) -> &Renderer {
        &self.0.renderer
    }

    /// The configuration in force.
    pub fn config(&self) -> &crate::config::Config {
        &self.0.config
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("App")
    }
}
