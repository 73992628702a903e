//! `[outbound]`: which addresses the server may ask.

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::Finding;
use crate::outbound::is_forbidden;

/// Requests to third parties that people sign in with: by `https`, to public addresses and no others.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OutboundConfig {
    /// Networks with private addresses that may be asked too, where a third party is in one.
    #[schemars(with = "Vec<String>", example = &["10.1.0.0/16", "fd00::/8"])]
    pub allowed_networks: Vec<IpNet>,
}

impl OutboundConfig {
    /// What is wrong with it.
    pub(super) fn problems(&self) -> Vec<Finding> {
        let forbidden = self
            .allowed_networks
            .iter()
            .find(|network| is_forbidden(network));
        let finding = forbidden.map(|network| {
            Finding::new(
                "outbound.allowed_networks",
                format!("must not hold `{network}`: it includes addresses that are never asked"),
            )
            .hint("clouds hand credentials out at link-local addresses; name the third party's own network")
        });
        finding.into_iter().collect()
    }
}
