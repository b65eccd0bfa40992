//! How far an address reaches. Only addresses of the public internet are for
//! everyone; those of this machine and its networks are for whom an operator
//! names them, and the rest for nobody: forms that hide another address, groups,
//! examples, what is reserved. After IANA's registries of special addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far an address reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The public internet.
    Public,
    /// This machine, or a network around it.
    Private,
    /// Nothing that a request could be meant for.
    Never,
}

/// Ranges of IPv4 that are not public: first address, length of the prefix.
const V4: [([u8; 4], u32, Reach); 16] = [
    ([0, 0, 0, 0], 8, Reach::Never), // this network
    ([10, 0, 0, 0], 8, Reach::Private),
    ([100, 64, 0, 0], 10, Reach::Private), // behind a carrier's translation
    ([127, 0, 0, 0], 8, Reach::Private),   // this machine
    ([169, 254, 0, 0], 16, Reach::Private), // this link, and the metadata of clouds
    ([172, 16, 0, 0], 12, Reach::Private),
    ([192, 0, 0, 0], 24, Reach::Never),   // protocols
    ([192, 0, 2, 0], 24, Reach::Never),   // documentation
    ([192, 88, 99, 0], 24, Reach::Never), // relays of 6to4
    ([192, 168, 0, 0], 16, Reach::Private),
    ([198, 18, 0, 0], 15, Reach::Never),   // benchmarks
    ([198, 51, 100, 0], 24, Reach::Never), // documentation
    ([203, 0, 113, 0], 24, Reach::Never),  // documentation
    ([224, 0, 0, 0], 4, Reach::Never),     // groups
    ([240, 0, 0, 0], 4, Reach::Never),     // reserved
    ([255, 255, 255, 255], 32, Reach::Never),
];

/// Ranges of IPv6 within `2000::/3` that are not public, and ranges without it
/// that are private; the rest without it is nobody's.
const V6: [(Ipv6Addr, u32, Reach); 9] = [
    (Ipv6Addr::LOCALHOST, 128, Reach::Private),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, Reach::Private), // unique local
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, Reach::Private), // this link
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, Reach::Never),  // Teredo, benchmarks, ORCHID
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, Reach::Never), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, Reach::Never),  // 6to4
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48, Reach::Never), // AS112
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, Reach::Never),  // documentation
    (Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 0), 16, Reach::Never),  // returned 6bone
];

/// How far this address reaches.
pub(super) fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => reach_v6(address),
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    let within = |first: [u8; 4], length: u32| {
        let differing = address.to_bits() ^ Ipv4Addr::from(first).to_bits();
        differing.leading_zeros() >= length
    };
    let found = V4.iter().find(|(first, length, _)| within(*first, *length));
    found.map_or(Reach::Public, |(_, _, reach)| *reach)
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    let within = |first: Ipv6Addr, length: u32| {
        (address.to_bits() ^ first.to_bits()).leading_zeros() >= length
    };
    if let Some((_, _, reach)) = V6.iter().find(|(first, length, _)| within(*first, *length)) {
        return *reach;
    }
    // All that is given out. Mapped and compatible forms of IPv4, NAT64, groups
    // and the unspecified address are outside.
    match within(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3) {
        true => Reach::Public,
        false => Reach::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_reach_as_far_as_their_range() {
        for (reach, addresses) in [
            (
                Reach::Public,
                "1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 \
                 128.0.0.0 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.1 \
                 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255 \
                 2606:4700:4700::1111 2001:4860:4860::8888 2003::1 2a00::1",
            ),
            (
                Reach::Private,
                "10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.1 127.255.255.255 \
                 169.254.0.0 169.254.169.254 172.16.0.0 172.31.255.255 192.168.0.0 \
                 192.168.255.255 ::1 fc00::1 fd00:ec2::254 fdff::1 fe80::1 febf::1",
            ),
            (
                Reach::Never,
                "0.0.0.0 0.1.2.3 192.0.0.8 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255 \
                 198.51.100.1 203.0.113.255 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 \
                 :: ::2 ::ffff:127.0.0.1 ::ffff:1.1.1.1 ::127.0.0.1 ::1.1.1.1 64:ff9b::7f00:1 \
                 64:ff9b::101:101 64:ff9b:1::1 100::1 2001::1 2001:0:4136:e378::1 2001:2::1 \
                 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1:: 2002:101:101:: 3fff::1 3ffe::1 \
                 fec0::1 ff02::1 ff0e::1 4000::1 5f00::1",
            ),
        ] {
            for address in addresses.split_whitespace() {
                assert_eq!(super::reach(address.parse().unwrap()), reach, "{address}");
            }
        }
    }
}
