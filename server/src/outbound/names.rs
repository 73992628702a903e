//! Looking names up, so that a request only ever connects to addresses it may reach.

use std::{error::Error as StdError, fmt, io, net::SocketAddr, sync::Arc};

use gatelodge_core::provider::Reach;
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::addresses::may_reach;

/// The look-up of the operating system.
#[derive(Debug, Clone, Copy)]
pub(super) struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Hands on what a look-up found, if requests of this reach may go to every single one
/// of the addresses. The client connects to those and looks nothing up again, so what is
/// answered the next time changes nothing.
#[derive(Clone)]
pub(super) struct Sieve {
    pub(super) names: Arc<dyn Resolve>,
    pub(super) reach: Reach,
    pub(super) allowed: Arc<[IpNet]>,
}

impl Resolve for Sieve {
    fn resolve(&self, name: Name) -> Resolving {
        let Self {
            names,
            reach,
            allowed,
        } = self.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = names.resolve(name).await?.collect();
            if found.is_empty() {
                let nothing = io::Error::new(io::ErrorKind::NotFound, "it has no address");
                return Err(nothing.into());
            }
            let may = |place: &SocketAddr| may_reach(place.ip(), reach, &allowed);
            match found.iter().all(may) {
                true => Ok(Box::new(found.into_iter()) as Addrs),
                false => Err(OutOfReach(reach).into()),
            }
        })
    }
}

/// That a host has an address that must not be asked. Which one is not told: it is
/// nobody's business what names mean inside.
#[derive(Debug, Clone, Copy)]
pub(super) struct OutOfReach(pub(super) Reach);

impl fmt::Display for OutOfReach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Reach::Public => "it has an address that is not public",
            Reach::Loopback => "it has an address that is not this machine's",
        })
    }
}

impl StdError for OutOfReach {}
