//! What an IP address is: the tables of everything that is not plain, globally routable unicast.
//!
//! Not a decision: [`AddressRules`](super::AddressRules) decides. The tables hold more than the IANA
//! registries of special-purpose addresses do (site-local, what carries an IPv4 address, the services that
//! hand out a machine's credentials), and take whole blocks where a registry names exceptions, because
//! none of the exceptions is a place where a receiver could be.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// Why an address is none that a receiver on the internet can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressClass {
    /// Hands out a cloud machine's credentials to whoever asks from within.
    Metadata,
    /// This machine.
    Loopback,
    /// A private network's (RFC 1918).
    Private,
    /// A private network's (RFC 4193).
    UniqueLocal,
    /// A private network's, of old (RFC 3879).
    SiteLocal,
    /// Of the same wire only.
    LinkLocal,
    /// Between a carrier and its customers (RFC 6598).
    Carrier,
    /// No address at all.
    Unspecified,
    /// "This network" (RFC 791).
    ThisNetwork,
    /// To everybody on the wire.
    Broadcast,
    /// To a group.
    Multicast,
    /// For examples in texts.
    Documentation,
    /// For measuring devices.
    Benchmarking,
    /// For protocols of the IETF.
    ProtocolAssignment,
    /// Relays between IPv4 and IPv6, given up (RFC 7526).
    RelayAnycast,
    /// Thrown away by routers (RFC 6666).
    Discard,
    /// A hash of a key, no place (RFC 4843, RFC 7343).
    Orchid,
    /// An instruction to routers (RFC 9602).
    SegmentRouting,
    /// Kept for later.
    Reserved,
    /// Outside the part of IPv6 that is given out (2000::/3).
    NotGlobal,
    /// An IPv4 address in IPv6 form: `::ffff:127.0.0.1`.
    Mapped,
    /// An IPv4 address in IPv6 form, of old: `::127.0.0.1`.
    Compatible,
    /// An IPv4 address in IPv6 form, for translators: `::ffff:0:127.0.0.1` (RFC 7915).
    Translated,
    /// An IPv4 address behind a translator (RFC 6052).
    Nat64,
    /// An IPv4 address behind a translator of the own network (RFC 8215).
    Nat64Local,
    /// An IPv4 address at the end of a tunnel (RFC 3056).
    SixToFour,
    /// An IPv4 address at the end of a tunnel (RFC 4380).
    Teredo,
    /// An IPv4 address at the end of a tunnel (RFC 5214).
    Isatap,
}

/// The IPv4 address that an IPv6 address carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carried {
    /// The address within.
    pub address: Ipv4Addr,
    /// Why it would be refused by itself; `None` where it would not.
    pub why: Option<AddressClass>,
    /// How many bits stand before it: a longer range says something of the address within.
    pub(super) bits_before: u8,
}

impl AddressClass {
    /// Returns what an address is; `None` for globally routable unicast.
    #[must_use]
    pub fn of(address: IpAddr) -> Option<Self> {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Option<Self> {
        V4.iter().find(|(range, _)| range.contains(&address)).map(|(_, class)| *class)
    }

    fn of_v6(address: Ipv6Addr) -> Option<Self> {
        let listed = V6.iter().find(|(range, _)| range.contains(&address)).map(|(_, class)| *class);
        match listed {
            Some(class) => Some(class),
            None if !GLOBAL_V6.contains(&address) => Some(Self::NotGlobal),
            // Known by its last half, in any network.
            None => matches!(address.segments(), [_, _, _, _, 0 | 0x200, 0x5efe, _, _]).then_some(Self::Isatap),
        }
    }

    /// Returns the word for it in data: `loopback`, `six_to_four`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.words().0
    }

    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Metadata => ("metadata", "a cloud metadata address"),
            Self::Loopback => ("loopback", "a loopback address"),
            Self::Private => ("private", "a private address"),
            Self::UniqueLocal => ("unique_local", "a private address (unique local)"),
            Self::SiteLocal => ("site_local", "a private address (site-local)"),
            Self::LinkLocal => ("link_local", "a link-local address"),
            Self::Carrier => ("carrier", "a carrier's internal address"),
            Self::Unspecified => ("unspecified", "the unspecified address"),
            Self::ThisNetwork => ("this_network", "an address of \"this network\""),
            Self::Broadcast => ("broadcast", "the broadcast address"),
            Self::Multicast => ("multicast", "a multicast address"),
            Self::Documentation => ("documentation", "an address for documentation"),
            Self::Benchmarking => ("benchmarking", "an address for benchmarks"),
            Self::ProtocolAssignment => ("protocol_assignment", "an address of an internet protocol"),
            Self::RelayAnycast => ("relay_anycast", "an address of 6to4 relays"),
            Self::Discard => ("discard", "an address that routers discard"),
            Self::Orchid => ("orchid", "a key's hash (ORCHID) and no place"),
            Self::SegmentRouting => ("segment_routing", "an instruction to routers (SRv6)"),
            Self::Reserved => ("reserved", "a reserved address"),
            Self::NotGlobal => ("not_global", "an address that is given out to nobody"),
            Self::Mapped => ("mapped", "an IPv4-mapped address"),
            Self::Compatible => ("compatible", "an IPv4-compatible address"),
            Self::Translated => ("translated", "an IPv4-translated address"),
            Self::Nat64 => ("nat64", "a NAT64 address"),
            Self::Nat64Local => ("nat64_local", "a NAT64 address of a local network"),
            Self::SixToFour => ("six_to_four", "a 6to4 address"),
            Self::Teredo => ("teredo", "a Teredo address"),
            Self::Isatap => ("isatap", "an ISATAP address"),
        }
    }

    /// Returns the IPv4 address that an address of this class carries.
    pub(super) fn carried(self, address: IpAddr) -> Option<Carried> {
        let IpAddr::V6(address) = address else { return None };
        let [.., last_four_0, last_four_1, last_four_2, last_four_3] = address.octets();
        let last_four = Ipv4Addr::new(last_four_0, last_four_1, last_four_2, last_four_3);
        let (within, bits_before) = match self {
            Self::Mapped | Self::Compatible | Self::Translated | Self::Nat64 | Self::Isatap => (last_four, 96),
            // Written with every bit turned round, so that routers on the way leave it alone.
            Self::Teredo => (Ipv4Addr::from_bits(!last_four.to_bits()), 96),
            Self::SixToFour => {
                let [_, _, a, b, c, d, ..] = address.octets();
                (Ipv4Addr::new(a, b, c, d), 16)
            }
            // Nat64Local: the network itself says where in it the address stands.
            Self::Nat64Local
            | Self::Metadata
            | Self::Loopback
            | Self::Private
            | Self::UniqueLocal
            | Self::SiteLocal
            | Self::LinkLocal
            | Self::Carrier
            | Self::Unspecified
            | Self::ThisNetwork
            | Self::Broadcast
            | Self::Multicast
            | Self::Documentation
            | Self::Benchmarking
            | Self::ProtocolAssignment
            | Self::RelayAnycast
            | Self::Discard
            | Self::Orchid
            | Self::SegmentRouting
            | Self::Reserved
            | Self::NotGlobal => return None,
        };
        Some(Carried { address: within, why: Self::of_v4(within), bits_before })
    }
}

impl fmt::Display for AddressClass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.words().1)
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(segments: [u16; 8], length: u8) -> Ipv6Net {
    let [a, b, c, d, e, f, g, h] = segments;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), length)
}

/// The first that fits counts, so the narrow stand before the wide.
const V4: &[(Ipv4Net, AddressClass)] = &[
    // Amazon, Google, Azure, Oracle, DigitalOcean, OpenStack and most others.
    (v4(169, 254, 169, 254, 32), AddressClass::Metadata),
    // Amazon: roles of containers and of pods.
    (v4(169, 254, 170, 2, 32), AddressClass::Metadata),
    (v4(169, 254, 170, 23, 32), AddressClass::Metadata),
    // Scaleway, Alibaba, Oracle of old.
    (v4(169, 254, 42, 42, 32), AddressClass::Metadata),
    (v4(100, 100, 100, 200, 32), AddressClass::Metadata),
    (v4(192, 0, 0, 192, 32), AddressClass::Metadata),
    // Azure's WireServer: outside every special range, and answers from every virtual machine.
    (v4(168, 63, 129, 16, 32), AddressClass::Metadata),
    (v4(0, 0, 0, 0, 32), AddressClass::Unspecified),
    (v4(0, 0, 0, 0, 8), AddressClass::ThisNetwork),
    (v4(10, 0, 0, 0, 8), AddressClass::Private),
    (v4(100, 64, 0, 0, 10), AddressClass::Carrier),
    (v4(127, 0, 0, 0, 8), AddressClass::Loopback),
    (v4(169, 254, 0, 0, 16), AddressClass::LinkLocal),
    (v4(172, 16, 0, 0, 12), AddressClass::Private),
    (v4(192, 0, 0, 0, 24), AddressClass::ProtocolAssignment),
    (v4(192, 0, 2, 0, 24), AddressClass::Documentation),
    (v4(192, 88, 99, 0, 24), AddressClass::RelayAnycast),
    (v4(192, 168, 0, 0, 16), AddressClass::Private),
    (v4(198, 18, 0, 0, 15), AddressClass::Benchmarking),
    (v4(198, 51, 100, 0, 24), AddressClass::Documentation),
    (v4(203, 0, 113, 0, 24), AddressClass::Documentation),
    (v4(224, 0, 0, 0, 4), AddressClass::Multicast),
    (v4(255, 255, 255, 255, 32), AddressClass::Broadcast),
    (v4(240, 0, 0, 0, 4), AddressClass::Reserved),
];

const V6: &[(Ipv6Net, AddressClass)] = &[
    // Amazon: instances and pods; Google; Oracle; Scaleway; OpenStack.
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128), AddressClass::Metadata),
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23], 128), AddressClass::Metadata),
    (v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128), AddressClass::Metadata),
    (v6([0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe], 128), AddressClass::Metadata),
    (v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42], 128), AddressClass::Metadata),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe], 128), AddressClass::Metadata),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 128), AddressClass::Unspecified),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), AddressClass::Loopback),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 96), AddressClass::Compatible),
    (v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96), AddressClass::Mapped),
    (v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96), AddressClass::Translated),
    (v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96), AddressClass::Nat64),
    (v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), AddressClass::Nat64Local),
    (v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64), AddressClass::Discard),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32), AddressClass::Teredo),
    (v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48), AddressClass::Benchmarking),
    (v6([0x2001, 0x10, 0, 0, 0, 0, 0, 0], 28), AddressClass::Orchid),
    (v6([0x2001, 0x20, 0, 0, 0, 0, 0, 0], 28), AddressClass::Orchid),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), AddressClass::ProtocolAssignment),
    (v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), AddressClass::Documentation),
    (v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), AddressClass::SixToFour),
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), AddressClass::Documentation),
    (v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16), AddressClass::SegmentRouting),
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), AddressClass::UniqueLocal),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), AddressClass::LinkLocal),
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), AddressClass::SiteLocal),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), AddressClass::Multicast),
];

const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);
