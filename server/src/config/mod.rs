//! The configuration: what it may say, where it comes from, and what is wrong with it.
//!
//! Four layers, each above the one before: the defaults in this module's structs, the file that `--config` names, the
//! environment (`GATELODGE_SECTION__KEY`), the command line. [`load`] puts them together, decodes them, reads secrets
//! from their files and checks what must hold across keys; it tells every problem it finds, each with the file and
//! line, variable or option it was written in. Nothing here writes a file.
//!
//! One file, one concern: to add a key, add a documented field to its section's struct, its default and its range;
//! schema, errors, environment variable and `config show` follow from that. The tests then ask for the documentation
//! under `docs/configuration/`.
//!
//! What a provider's table holds beside `kind`, `id` and `enabled`, and the storage's beside its address, is not decoded
//! here: the crate of that kind does it, through [`Settings`].

mod backup;
mod decode;
mod effective;
mod environment;
mod error;
mod file;
mod host;
mod keys;
mod limits;
mod load;
mod log;
mod mail;
mod metrics;
mod network;
mod origin;
mod outbound;
mod pages;
mod providers;
mod registration;
mod rules;
mod schema;
mod second_factor;
mod secret;
mod server;
mod session;
mod settings;
mod show;
mod sms;
mod sources;
mod storage;
mod tenancy;
#[cfg(test)]
mod tests;
mod tokens;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plugins::DEFAULT_KINDS;

pub(crate) use self::providers::shortfalls;
pub use self::{
    backup::{BackupConfig, BackupRecipient},
    error::{ConfigError, Place, Problem},
    host::{HostName, HostPattern, InvalidHost},
    keys::KeysConfig,
    limits::LimitsConfig,
    load::{Loaded, Overrides, check, load},
    log::{LogConfig, LogFormat},
    mail::{MailConfig, MailKind, MailTls},
    metrics::MetricsConfig,
    network::{client_address, network_of},
    origin::{InvalidOrigin, Origin, OriginPolicy, Scheme, Whose, resolve_origin},
    outbound::OutboundConfig,
    pages::PagesConfig,
    providers::ProviderConfig,
    registration::{RegistrationConfig, RequiredAttribute},
    schema::schema,
    second_factor::{SecondFactorConfig, SecondFactorRule},
    secret::{REDACTED, Secret},
    server::ServerConfig,
    session::{AtLimit, SessionConfig},
    settings::Settings,
    sms::SmsConfig,
    storage::{StorageConfig, StorageUrl},
    tenancy::{TenancyConfig, TenantHost, TenantOnForm},
    tokens::{TokenAlgorithm, TokensConfig},
};

/// The sections, in the order they are shown. `providers`, a list, comes after them.
const SECTIONS: [&str; 16] = [
    "server",
    "storage",
    "keys",
    "backup",
    "mail",
    "sms",
    "outbound",
    "session",
    "tokens",
    "registration",
    "second_factor",
    "tenancy",
    "limits",
    "pages",
    "metrics",
    "log",
];

/// Everything that can be configured. Whatever is left out has the default named beside it.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the server listens, what it is called, where it keeps its files.
    pub server: ServerConfig,
    /// The database.
    pub storage: StorageConfig,
    /// The key that seals all others.
    pub keys: KeysConfig,
    /// Backups.
    pub backup: BackupConfig,
    /// How mails are sent.
    pub mail: MailConfig,
    /// How text messages are sent.
    pub sms: SmsConfig,
    /// Which addresses may be asked.
    pub outbound: OutboundConfig,
    /// How long a sign-in lasts.
    pub session: SessionConfig,
    /// How access tokens for applications are signed.
    pub tokens: TokensConfig,
    /// Whether people may make their own accounts.
    pub registration: RegistrationConfig,
    /// Who has to have a second factor.
    pub second_factor: SecondFactorConfig,
    /// How a sign-in finds its tenant.
    pub tenancy: TenancyConfig,
    /// What slows guessing down.
    pub limits: LimitsConfig,
    /// How the hosted pages look.
    pub pages: PagesConfig,
    /// Figures for Prometheus.
    pub metrics: MetricsConfig,
    /// What the server says while it runs.
    pub log: LogConfig,
    /// The ways to sign in, in the order they are offered. Whoever names some has no others.
    pub providers: Vec<ProviderConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: ServerConfig::default(),
            storage: StorageConfig::default(),
            keys: KeysConfig::default(),
            backup: BackupConfig::default(),
            mail: MailConfig::default(),
            sms: SmsConfig::default(),
            outbound: OutboundConfig::default(),
            session: SessionConfig::default(),
            tokens: TokensConfig::default(),
            registration: RegistrationConfig::default(),
            second_factor: SecondFactorConfig::default(),
            tenancy: TenancyConfig::default(),
            limits: LimitsConfig::default(),
            pages: PagesConfig::default(),
            metrics: MetricsConfig::default(),
            log: LogConfig::default(),
            providers: DEFAULT_KINDS
                .iter()
                .map(|kind| ProviderConfig::of_kind(kind))
                .collect(),
        }
    }
}

impl Config {
    /// The folder for mails that go to a folder.
    pub fn mail_folder(&self) -> std::path::PathBuf {
        let configured = self.mail.folder.clone();
        configured.unwrap_or_else(|| self.server.data_dir.join("mail"))
    }

    /// The folder for backups.
    pub fn backup_folder(&self) -> std::path::PathBuf {
        let configured = self.backup.folder.clone();
        configured.unwrap_or_else(|| self.server.data_dir.join("backups"))
    }
}
