//! The rule that no request goes to an address it should not.
//!
//! Not a resolver: it judges addresses, and must be asked about the one actually connected to, after
//! every resolution. What is not globally routable unicast is refused unless the operator allows it; a
//! range allows what it plainly names, and nothing that merely lies within it in disguise.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use super::class::{AddressClass, Carried};

/// Decides which addresses may be connected to.
#[derive(Debug, Clone, Default)]
pub struct AddressRules {
    allow: Vec<IpNet>,
}

/// An address that may not be connected to, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForbiddenAddress {
    /// The address as it was given.
    pub address: IpAddr,
    /// What it is.
    pub why: AddressClass,
    /// The IPv4 address it carries, where it is a mapped or tunnelled form.
    pub carried: Option<Carried>,
}

impl AddressRules {
    /// Makes the rules of an operator who allows some ranges beside the public ones.
    ///
    /// A metadata address is allowed only by the range of that one address: who opens a private network
    /// does not mean to open the machine's credentials. A form that carries an IPv4 address is allowed by a
    /// range of that form, never by one of the address within; where such a range says nothing of the
    /// address within (`64:ff9b::/96`), that one has to pass by itself.
    #[must_use]
    pub const fn new(allow: Vec<IpNet>) -> Self {
        Self { allow }
    }

    /// Passes an address that may be connected to.
    ///
    /// # Errors
    /// The address and why not.
    /// # Source
    /// IANA special-purpose registries for IPv4 and IPv6; RFC 6890, RFC 8190; the lists of
    /// svix/svix-webhooks (`is_allowed`) and stripe/smokescreen (`pkg/smokescreen/smokescreen.go`).
    pub fn check(&self, address: IpAddr) -> Result<(), ForbiddenAddress> {
        let Some(why) = AddressClass::of(address) else { return Ok(()) };
        let forbidden = ForbiddenAddress { address, why, carried: why.carried(address) };
        if self.allow.iter().any(|range| self.lets_through(range, &forbidden)) { Ok(()) } else { Err(forbidden) }
    }

    fn lets_through(&self, range: &IpNet, forbidden: &ForbiddenAddress) -> bool {
        if !range.contains(&forbidden.address) {
            return false;
        }
        if range.prefix_len() == range.max_prefix_len() {
            return true;
        }
        let Some(carried) = forbidden.carried else { return forbidden.why != AddressClass::Metadata };
        let names_within = range.prefix_len() > carried.bits_before && carried.why != Some(AddressClass::Metadata);
        names_within || self.check(carried.address.into()).is_ok()
    }
}

impl std::error::Error for ForbiddenAddress {}

impl fmt::Display for ForbiddenAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, why, carried } = self;
        write!(formatter, "{address} is {why}")?;
        if let Some(carried) = carried {
            write!(formatter, " that leads to {}", carried.address)?;
            if let Some(why) = carried.why {
                write!(formatter, ", {why}")?;
            }
        }
        if carried.and_then(|carried| carried.why).unwrap_or(*why) == AddressClass::Metadata {
            return formatter.write_str(": hooklog does not send there");
        }
        formatter.write_str(": give a public address, or have the operator add its range to deliver.allow_addresses")
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::AddressRules;

    fn rules(allow: &[&str]) -> AddressRules {
        AddressRules::new(allow.iter().map(|range| range.parse().unwrap()).collect())
    }

    fn passes(allow: &[&str], address: &str) -> bool {
        rules(allow).check(address.parse().unwrap()).is_ok()
    }

    #[test]
    fn an_allowed_range_lets_through_what_it_names() {
        assert!(!passes(&[], "127.0.0.1"));
        assert!(passes(&["127.0.0.0/8"], "127.0.0.1"));
        assert!(passes(&["127.0.0.1/32"], "127.0.0.1"));
        assert!(!passes(&["127.0.0.1/32"], "127.0.0.2"));
        assert!(passes(&["10.0.0.0/8", "192.168.1.0/24"], "192.168.1.7"));
        assert!(!passes(&["10.0.0.0/8", "192.168.1.0/24"], "192.168.2.7"));
        assert!(passes(&["::1/128"], "::1"));
        assert!(passes(&["fc00::/7"], "fd12:3456::1"));
        assert!(passes(&["10.1.2.3/8"], "10.200.0.1"), "a range is given by any address in it");
    }

    #[test]
    fn a_range_lets_nothing_through_in_disguise() {
        for disguise in [
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b:1::127.0.0.1",
            "2002:7f00:1::",
            "2001::80ff:fffe",
            "2606:4700::5efe:7f00:1",
            "::1",
        ] {
            assert!(!passes(&["127.0.0.0/8"], disguise), "{disguise}");
            assert!(!passes(&["0.0.0.0/0"], disguise), "{disguise}");
        }
        assert!(!passes(&["::ffff:127.0.0.0/104"], "127.0.0.1"), "nor the other way round");
    }

    #[test]
    fn a_range_of_a_form_lets_that_form_through() {
        assert!(passes(&["::ffff:127.0.0.0/104"], "::ffff:127.0.0.1"));
        assert!(passes(&["64:ff9b::10.0.0.0/104"], "64:ff9b::10.1.2.3"));
        assert!(passes(&["2002:a00::/24"], "2002:a01:203::1"));
        assert!(passes(&["64:ff9b:1::/48"], "64:ff9b:1::10.0.0.1"), "where it stands is for the network to say");
    }

    #[test]
    fn a_range_of_a_whole_form_leaves_the_address_within_to_the_rules() {
        assert!(passes(&["64:ff9b::/96"], "64:ff9b::8.8.8.8"));
        assert!(!passes(&["64:ff9b::/96"], "64:ff9b::10.0.0.1"));
        assert!(passes(&["64:ff9b::/96", "10.0.0.0/8"], "64:ff9b::10.0.0.1"));
        assert!(!passes(&["::/0"], "::ffff:169.254.169.254"));
        assert!(!passes(&["::/0"], "2002:7f00:1::"));
        assert!(passes(&["::/0"], "fd12::1"));
    }

    #[test]
    fn metadata_is_let_through_by_its_own_name_only() {
        assert!(!passes(&["169.254.0.0/16", "0.0.0.0/0"], "169.254.169.254"));
        assert!(passes(&["169.254.0.0/16"], "169.254.1.1"));
        assert!(passes(&["169.254.169.254/32"], "169.254.169.254"));
        assert!(!passes(&["fc00::/7", "::/0"], "fd00:ec2::254"));
        assert!(passes(&["fd00:ec2::254/128"], "fd00:ec2::254"));
        assert!(!passes(&["::ffff:169.254.0.0/112"], "::ffff:169.254.169.254"));
        assert!(passes(&["::ffff:169.254.169.254/128"], "::ffff:169.254.169.254"));
        assert!(passes(&["64:ff9b::/96", "169.254.169.254/32"], "64:ff9b::169.254.169.254"));
    }

    #[test]
    fn a_refusal_says_what_it_is_and_what_to_do() {
        let says = |address: &str| rules(&[]).check(address.parse().unwrap()).unwrap_err().to_string();
        let remedy = ": give a public address, or have the operator add its range to deliver.allow_addresses";
        assert_eq!(says("10.0.0.1"), format!("10.0.0.1 is a private address{remedy}"));
        assert_eq!(
            says("::ffff:7f00:1"),
            format!("::ffff:127.0.0.1 is an IPv4-mapped address that leads to 127.0.0.1, a loopback address{remedy}")
        );
        assert_eq!(
            says("64:ff9b::808:808"),
            format!("64:ff9b::808:808 is a NAT64 address that leads to 8.8.8.8{remedy}")
        );
        assert_eq!(says("169.254.169.254"), "169.254.169.254 is a cloud metadata address: hooklog does not send there");
    }

    proptest! {
        /// The standard library knows some of the classes; what it knows must be refused.
        #[test]
        fn what_the_standard_library_calls_special_is_refused(bits: u32) {
            let v4 = Ipv4Addr::from_bits(bits);
            let special = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_broadcast()
                || v4.is_documentation() || v4.is_multicast() || v4.is_unspecified();
            prop_assert!(!special || rules(&[]).check(v4.into()).is_err());
            prop_assert!(rules(&[]).check(v4.to_ipv6_mapped().into()).is_err());
            prop_assert!(rules(&[]).check(v4.to_ipv6_compatible().into()).is_err());
        }

        #[test]
        fn only_global_unicast_passes_in_ipv6(bits: u128) {
            let v6 = Ipv6Addr::from_bits(bits);
            let passes = rules(&[]).check(v6.into()).is_ok();
            prop_assert!(!passes || v6.octets()[0] >> 5 == 1);
            prop_assert!(passes || !matches!(v6.segments()[0], 0x2400..=0x3ffe) || v6.segments()[5] == 0x5efe);
        }

        #[test]
        fn an_address_that_is_allowed_alone_passes(bits: u128, is_v4: bool) {
            let v6 = Ipv6Addr::from_bits(bits);
            let address: IpAddr = if is_v4 { Ipv4Addr::from_bits((bits >> 96) as u32).into() } else { v6.into() };
            prop_assert!(AddressRules::new(vec![address.into()]).check(address).is_ok());
        }
    }
}
