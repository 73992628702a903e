//! `[server]`: where the server listens, what it is called, where it keeps its files.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::origin::Origin;

/// Where the server listens, what it is called, where it keeps its files, and how much one request may cost.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Address and port to listen on. An address that other machines can reach needs `origin`. Port 0 takes any free port.
    #[schemars(with = "String", example = &"127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// The address people type: scheme, host and, where it is not the usual one, port. Every link, cookie and origin
    /// check follows it, never a header of a request. Unset: only this machine can reach the server, and links say
    /// `http://localhost:<port>`.
    #[schemars(example = &"https://id.example.org")]
    pub origin: Option<Origin>,
    /// Folder for the embedded database and the master key. Made at first start.
    pub data_dir: PathBuf,
    /// Networks of the reverse proxies in front, and of nothing else: from these addresses `X-Forwarded-For` is believed.
    #[schemars(with = "Vec<String>", extend("examples" = [["127.0.0.1/32", "10.0.0.0/8"]]))]
    pub trusted_proxies: Vec<IpNet>,
    /// Largest accepted body of a request, in bytes.
    #[schemars(range(min = 16_384, max = 67_108_864))]
    pub body_limit_bytes: u32,
    /// How long one request may take, in seconds.
    #[schemars(range(min = 1, max = 600))]
    pub request_timeout_seconds: u32,
    /// How long a stopping server waits, in seconds, for requests that are still being answered.
    #[schemars(range(min = 0, max = 600))]
    pub shutdown_seconds: u32,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            origin: None,
            data_dir: PathBuf::from("gatelodge-data"),
            trusted_proxies: Vec::new(),
            body_limit_bytes: 262_144,
            request_timeout_seconds: 30,
            shutdown_seconds: 10,
        }
    }
}

impl ServerConfig {
    /// How long a stopping server waits.
    pub(crate) fn shutdown(&self) -> Duration {
        Duration::from_secs(self.shutdown_seconds.into())
    }
}
