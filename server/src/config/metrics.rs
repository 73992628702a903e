//! `[metrics]`: figures for Prometheus.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Figures for Prometheus under `/metrics`, on a listener of their own.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// Whether the listener is opened.
    pub enabled: bool,
    /// Address and port to listen on. Whoever reaches it can read the figures.
    #[schemars(with = "String", example = &"127.0.0.1:9464")]
    pub listen: SocketAddr,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9464),
        }
    }
}
