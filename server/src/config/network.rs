//! Who is calling: the client's address behind proxies, and the network it belongs to.

use std::net::{IpAddr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The address of the client: the right-most hop in the lines of `X-Forwarded-For` that is not one of our proxies.
///
/// * A peer that is not a trusted proxy is the client, whatever its headers say.
/// * Each proxy appends the address it was called from, so the list is read from the right and only as far as it was
///   written by proxies we trust; what stands left of the answer is never looked at.
/// * A hop that is no address makes the peer the client: a list that cannot be read changes nothing.
pub fn client_address<'a, L>(peer: IpAddr, forwarded_for: L, trusted_proxies: &[IpNet]) -> IpAddr
where
    L: IntoIterator<Item = &'a [u8]>,
    L::IntoIter: DoubleEndedIterator,
{
    let is_trusted = |address: IpAddr| {
        trusted_proxies
            .iter()
            .any(|network| network.contains(&address))
    };
    let peer = peer.to_canonical();
    if !is_trusted(peer) {
        return peer;
    }
    let mut client = peer;
    for line in forwarded_for.into_iter().rev() {
        for hop in line.rsplit(|byte| *byte == b',') {
            match parse_hop(hop) {
                None => return peer,
                Some(address) if is_trusted(address) => client = address,
                Some(address) => return address,
            }
        }
    }
    client
}

/// An address as proxies write it: bare, with a port, or IPv6 in brackets.
fn parse_hop(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim_matches([' ', '\t']);
    let bare = hop
        .strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'))
        .unwrap_or(hop);
    let address = match bare.parse::<IpAddr>() {
        Ok(address) => address,
        Err(_) => hop.parse::<SocketAddr>().ok()?.ip(),
    };
    Some(address.to_canonical())
}

/// The network that limits count by: one IPv4 address, or the /64 that one IPv6 subscriber is given.
pub fn network_of(address: IpAddr) -> IpNet {
    match address.to_canonical() {
        IpAddr::V4(address) => IpNet::V4(Ipv4Net::from(address)),
        IpAddr::V6(address) => IpNet::V6(
            Ipv6Net::new(address, 64)
                .unwrap_or_else(|_| Ipv6Net::from(address))
                .trunc(),
        ),
    }
}
