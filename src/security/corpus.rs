//! The address rules against the corpus in `tests/data/addresses`: every spelling and every edge.
//!
//! `forms.txt` has an address or a url, what becomes of it, and a note. `ranges.txt` has every special
//! range with what its first and last address are, and what the addresses just outside of it are; it was
//! written from the registries, not from the tables it checks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{AddressClass, AddressRules, ForbiddenAddress, UrlError};

const FORMS: &str = include_str!("../../tests/data/addresses/forms.txt");
const RANGES: &str = include_str!("../../tests/data/addresses/ranges.txt");

fn rows(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| line.split('\t').collect())
}

/// Says what becomes of an address or url, in a word or two.
fn outcome(input: &str) -> String {
    let rules = AddressRules::default();
    match input.parse::<IpAddr>() {
        Ok(address) => rules.check(address).map_or_else(|forbidden| class(&forbidden), |()| "allowed".to_owned()),
        Err(_) => rules.check_url(input, false).map_or_else(|problem| code(&problem), |_| "allowed".to_owned()),
    }
}

/// `mapped/loopback` is a mapped address that leads to a loopback one.
fn class(forbidden: &ForbiddenAddress) -> String {
    let within = forbidden.carried.map(|carried| format!("/{}", carried.why.map_or("allowed", AddressClass::code)));
    format!("{}{}", forbidden.why.code(), within.unwrap_or_default())
}

fn code(problem: &UrlError) -> String {
    let code = match problem {
        UrlError::TooLong { .. } => "too_long",
        UrlError::Blank => "blank",
        UrlError::Backslash => "backslash",
        UrlError::SchemeMissing => "scheme_missing",
        UrlError::Scheme { .. } => "scheme",
        UrlError::HttpsOnly => "https_only",
        UrlError::UserInfo => "user_info",
        UrlError::Fragment => "fragment",
        UrlError::HostMissing => "host_missing",
        UrlError::Zone => "zone",
        UrlError::HostAddress => "host_address",
        UrlError::HostName => "host_name",
        UrlError::EmptyLabel => "empty_label",
        UrlError::HostTooLong => "host_too_long",
        UrlError::Localhost { .. } => "localhost",
        UrlError::Port => "port",
        UrlError::Address(forbidden) => return class(forbidden),
    };
    code.to_owned()
}

/// Invisible characters are written `\t`, `\n`, `\\` or `\u{200b}` in the corpus.
fn unescaped(text: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        result.push_str(before);
        let (character, length) = match after.as_bytes().first() {
            Some(b't') => ('\t', 1),
            Some(b'n') => ('\n', 1),
            Some(b'r') => ('\r', 1),
            Some(b'\\') => ('\\', 1),
            Some(b'u') => {
                let (digits, _) = after[2..].split_once('}').unwrap();
                (char::from_u32(u32::from_str_radix(digits, 16).unwrap()).unwrap(), digits.len() + 3)
            }
            other => panic!("no such escape: {other:?} in {text}"),
        };
        result.push(character);
        rest = &after[length..];
    }
    result + rest
}

#[test]
fn every_tricky_form_is_judged_as_the_corpus_says() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for row in rows(FORMS) {
        let [input, expected, _note] = row[..] else { panic!("three fields: {row:?}") };
        let found = outcome(&unescaped(input));
        if found != expected {
            wrong.push(format!("{input}: {found}, not {expected}"));
        }
        checked += 1;
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(checked >= 200, "only {checked} forms");
}

#[test]
fn every_range_ends_where_it_should() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for row in rows(RANGES) {
        let [range, first, last, before, after] = row[..] else { panic!("five fields: {row:?}") };
        let (first_address, last_address) = ends(range);
        let edges = [
            (Some(first_address), first),
            (Some(last_address), last),
            (step(first_address, -1), before),
            (step(last_address, 1), after),
        ];
        for (address, expected) in edges {
            let found = address.map_or_else(|| "none".to_owned(), |address| outcome(&address.to_string()));
            if found != expected {
                wrong.push(format!("{range}: {address:?} is {found}, not {expected}"));
            }
            checked += 1;
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(checked >= 150, "only {checked} edges");
}

/// The first and last address of a range, by arithmetic of its own.
fn ends(range: &str) -> (IpAddr, IpAddr) {
    let (address, length) = range.split_once('/').unwrap();
    let length: u32 = length.parse().unwrap();
    match address.parse().unwrap() {
        IpAddr::V4(first) => {
            let rest = u32::MAX.checked_shr(length).unwrap_or(0);
            (first.into(), Ipv4Addr::from_bits(first.to_bits() | rest).into())
        }
        IpAddr::V6(first) => {
            let rest = u128::MAX.checked_shr(length).unwrap_or(0);
            (first.into(), Ipv6Addr::from_bits(first.to_bits() | rest).into())
        }
    }
}

fn step(address: IpAddr, by: i8) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => Some(Ipv4Addr::from_bits(address.to_bits().checked_add_signed(by.into())?).into()),
        IpAddr::V6(address) => Some(Ipv6Addr::from_bits(address.to_bits().checked_add_signed(by.into())?).into()),
    }
}
