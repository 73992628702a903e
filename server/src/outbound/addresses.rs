//! Which addresses a request to the outside may go to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use gatelodge_core::provider::Reach;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// IPv4 addresses that are nobody's on the internet (IANA's registry of special-purpose
/// addresses, RFC 6890).
const INNER: [Ipv4Net; 14] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    // Multicast, reserved, broadcast.
    v4([224, 0, 0, 0], 3),
];

/// The only part of IPv6 that is given out on the internet (RFC 4291 section 2.4).
const GIVEN_OUT: Ipv6Net = v6([0x2000, 0], 3);

/// What of it is for protocols (Teredo, benchmarks and others), for documentation, or
/// leads to IPv4 by somebody's gateway.
const GIVEN_OUT_FOR_OTHER_THINGS: [Ipv6Net; 4] = [
    v6([0x2001, 0], 23),
    v6([0x2001, 0x0db8], 32),
    v6([0x2002, 0], 16),
    v6([0x3fff, 0], 20),
];

/// IPv4 addresses behind a gateway (RFC 6052), as networks with IPv6 alone have them.
const NAT64: Ipv6Net = v6([0x0064, 0xff9b], 96);

/// Where clouds tell machines their credentials: never asked, whoever allows it. Those of
/// Azure, Alibaba, Oracle, Amazon, Google and Scaleway that are not link-local.
const CREDENTIALS: [IpAddr; 6] = [
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0042, 0, 0, 0, 0, 0, 0x0042)),
];

/// The same, in every cloud.
const LINK_LOCAL: [IpNet; 2] = [
    IpNet::V4(v4([169, 254, 0, 0], 16)),
    IpNet::V6(v6([0xfe80, 0], 10)),
];

const fn v4([a, b, c, d]: [u8; 4], length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6([a, b]: [u16; 2], length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), length)
}

/// Whether requests of this reach may go to this address.
pub(super) fn may_reach(address: IpAddr, reach: Reach, allowed: &[IpNet]) -> bool {
    let address = address.to_canonical();
    match reach {
        Reach::Loopback => address.is_loopback(),
        Reach::Public => {
            !CREDENTIALS.contains(&address) && (is_public(address) || is_allowed(address, allowed))
        }
    }
}

/// Whether a network holds addresses that are never asked, so that it cannot be allowed.
pub(crate) fn is_forbidden(network: &IpNet) -> bool {
    let overlaps = |other: &IpNet| network.contains(other) || other.contains(network);
    network.prefix_len() == 0 || LINK_LOCAL.iter().any(overlaps)
}

fn is_allowed(address: IpAddr, allowed: &[IpNet]) -> bool {
    allowed
        .iter()
        .any(|network| network.contains(&address) && !is_forbidden(network))
}

/// Whether it is an address of the internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !INNER.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) if NAT64.contains(&address) => {
            let [.., a, b, c, d] = address.octets();
            is_public(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
        }
        IpAddr::V6(address) => {
            let mut others = GIVEN_OUT_FOR_OTHER_THINGS.iter();
            GIVEN_OUT.contains(&address) && !others.any(|network| network.contains(&address))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODYS: [&str; 46] = [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.1",
        "100.100.100.200",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:127.0.0.1",
        "::127.0.0.1",
        "::8.8.8.8",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::808:808",
        "100::1",
        "2001::1",
        "2001:2::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "3fff::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
    ];

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn s46_addresses_that_are_nobodys_on_the_internet_are_not_public() {
        for text in NOBODYS {
            assert!(!may_reach(ip(text), Reach::Public, &[]), "{text}");
        }
        for text in ["fec0::1", "ff02::1", "2002:808:808::1", "4000::1"] {
            assert!(!may_reach(ip(text), Reach::Public, &[]), "{text}");
        }
    }

    #[test]
    fn addresses_of_the_internet_are_public() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "168.63.129.17",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00:1450:4001::1",
        ] {
            assert!(may_reach(ip(text), Reach::Public, &[]), "{text}");
        }
    }

    #[test]
    fn s46_what_goes_to_this_machine_goes_nowhere_else() {
        for text in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(may_reach(ip(text), Reach::Loopback, &[]), "{text}");
        }
        let any: Vec<IpNet> = vec!["8.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
        for text in [
            "0.0.0.0",
            "10.0.0.1",
            "8.8.8.8",
            "::",
            "2606:4700::1111",
            "64:ff9b::7f00:1",
        ] {
            assert!(!may_reach(ip(text), Reach::Loopback, &any), "{text}");
        }
    }

    #[test]
    fn an_allowed_network_is_reached_and_no_other() {
        let allowed: Vec<IpNet> = vec!["10.1.0.0/16".parse().unwrap(), "fd00::/8".parse().unwrap()];
        for (text, is_allowed) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("fd12::1", true),
            ("10.2.0.1", false),
            ("127.0.0.1", false),
            ("fc00::1", false),
            ("64:ff9b::a01:203", false),
        ] {
            assert_eq!(
                may_reach(ip(text), Reach::Public, &allowed),
                is_allowed,
                "{text}"
            );
        }
    }

    #[test]
    fn s46_where_clouds_tell_credentials_cannot_be_allowed() {
        for text in [
            "0.0.0.0/0",
            "::/0",
            "169.254.0.0/16",
            "169.254.169.254/32",
            "128.0.0.0/1",
            "fe80::/10",
            "fe80::a9fe/128",
            "f000::/4",
        ] {
            let network: IpNet = text.parse().unwrap();
            assert!(is_forbidden(&network), "{text}");
            assert!(
                !may_reach(ip("169.254.169.254"), Reach::Public, &[network]),
                "{text}"
            );
        }
        for text in ["10.0.0.0/8", "127.0.0.0/8", "fc00::/7", "::1/128"] {
            assert!(!is_forbidden(&text.parse().unwrap()), "{text}");
        }
        let wide = ["100.64.0.0/10", "168.63.0.0/16", "192.0.0.0/24", "fc00::/7"];
        let wide = wide.map(|text| text.parse().unwrap());
        for address in CREDENTIALS {
            assert!(!may_reach(address, Reach::Public, &wide), "{address}");
        }
        assert!(may_reach(ip("100.100.100.201"), Reach::Public, &wide));
    }
}
