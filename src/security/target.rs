//! The address of a receiver, read and judged as far as it can be without asking anybody.
//!
//! Not the whole judgement: a name's addresses are known only when it is resolved, and
//! [`AddressRules::check`] is asked then. What is read here is read once, by the parser whose result is
//! also what gets connected to, so there is no second opinion to smuggle another host past.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{ParseError, Position, Url};

use crate::model::limits::URL_BYTES_MAX;

use super::address::{AddressRules, ForbiddenAddress};
use super::redact::redact_url;

/// Where requests of an endpoint go.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
    scheme: Scheme,
    host: Host,
    port: u16,
}

/// How to speak with a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// With TLS.
    Https,
    /// In the clear.
    Http,
}

/// Whom to connect to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name in lower case, as DNS writes it (punycode), without a full stop at its end.
    Name(String),
    /// An address, allowed by the rules.
    Address(IpAddr),
}

/// Why a text is no address that requests may go to. Holds nothing of a query or of user information.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is too long.
    #[error("a url has at most {URL_BYTES_MAX} bytes and this one {bytes}: shorten it")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// It has characters that readers of urls drop or take for an end.
    #[error("a url has no spaces, line breaks or control characters: remove them, or write them as %20")]
    Blank,
    /// It has a backslash before its query.
    #[error("a backslash in a url is read as / by some and as a character by others: write /")]
    Backslash,
    /// It does not begin with a scheme and `//`.
    #[error("a url begins with https:// (or http:// where the operator allows it): give it whole")]
    SchemeMissing,
    /// It begins with another scheme.
    #[error("hooklog sends to https and http, not to {scheme}: give a url that begins with https://")]
    Scheme {
        /// Which one.
        scheme: String,
    },
    /// It is http where only https is allowed.
    #[error(
        "only https is allowed: give a url that begins with https://, or have the operator set deliver.https_only = false"
    )]
    HttpsOnly,
    /// It has a user name or password.
    #[error("a url holds no user name or password: give them as the endpoint's authentication")]
    UserInfo,
    /// It has a fragment.
    #[error("a fragment is never sent: remove the # and what follows")]
    Fragment,
    /// It has no host.
    #[error("the url names no host: write it after the //")]
    HostMissing,
    /// Its host is an address of a zone.
    #[error("a zone (%eth0) means something on one machine only: give an address without it")]
    Zone,
    /// Its host looks like an address and is none.
    #[error("the host looks like an IP address and is none: correct it (IPv6 stands in brackets)")]
    HostAddress,
    /// Its host is no name.
    #[error("the host is no name that DNS knows how to ask for: letters, digits, - and _, between full stops")]
    HostName,
    /// Its host has an empty part.
    #[error("the host has an empty part: remove the full stop too many")]
    EmptyLabel,
    /// Its host is too long.
    #[error("a host's name has at most 253 characters, and 63 between two full stops: shorten it")]
    HostTooLong,
    /// Its host is a name of this machine.
    #[error(
        "{host} is the machine hooklog runs on: give a public name, or have the operator add 127.0.0.0/8 to \
         deliver.allow_addresses"
    )]
    Localhost {
        /// The name.
        host: String,
    },
    /// Its port is no port.
    #[error("a port is a number from 1 to 65535: correct it or leave it out")]
    Port,
    /// Its host is an address that may not be connected to.
    #[error(transparent)]
    Address(#[from] ForbiddenAddress),
}

impl AddressRules {
    /// Reads where an endpoint's requests shall go.
    ///
    /// Every spelling of a literal address that the URL standard knows (decimal, octal, hex, short, mapped,
    /// full-width…) is turned into the address and judged.
    ///
    /// # Errors
    /// The first thing that is wrong, said so that it can be put right.
    /// # Source
    /// WHATWG URL, as the `url` crate implements it, less what it forgives.
    pub fn check_url(&self, text: &str, https_only: bool) -> Result<Target, UrlError> {
        let scheme = check_spelling(text)?;
        if https_only && scheme == Scheme::Http {
            return Err(UrlError::HttpsOnly);
        }
        let url = normalised(Url::parse(text).map_err(what_is_wrong)?)?;
        let host = self.check_host(&url)?;
        match url.port_or_known_default() {
            None | Some(0) => Err(UrlError::Port),
            Some(port) => Ok(Target { url, scheme, host, port }),
        }
    }

    fn check_host(&self, url: &Url) -> Result<Host, UrlError> {
        let address = match url.host().ok_or(UrlError::HostMissing)? {
            url::Host::Domain(name) => return self.check_name(name).map(|()| Host::Name(name.to_owned())),
            url::Host::Ipv4(address) => IpAddr::V4(address),
            url::Host::Ipv6(address) => IpAddr::V6(address),
        };
        self.check(address)?;
        Ok(Host::Address(address))
    }

    fn check_name(&self, name: &str) -> Result<(), UrlError> {
        if name.len() > NAME_BYTES_MAX || name.split('.').any(|label| label.len() > LABEL_BYTES_MAX) {
            return Err(UrlError::HostTooLong);
        }
        if name.split('.').any(str::is_empty) {
            return Err(UrlError::EmptyLabel);
        }
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
            return Err(UrlError::HostName);
        }
        let is_local = name == "localhost" || name.ends_with(".localhost");
        if is_local && !self.allows_loopback() {
            return Err(UrlError::Localhost { host: name.to_owned() });
        }
        Ok(())
    }

    fn allows_loopback(&self) -> bool {
        self.check(Ipv4Addr::LOCALHOST.into()).is_ok() || self.check(Ipv6Addr::LOCALHOST.into()).is_ok()
    }
}

/// Refuses what the URL standard forgives or drops: readers that differ in what they forgive are how a
/// host is smuggled past a check.
fn check_spelling(text: &str) -> Result<Scheme, UrlError> {
    if text.len() > URL_BYTES_MAX {
        return Err(UrlError::TooLong { bytes: text.len() });
    }
    if text.contains(|character: char| character.is_control() || character.is_whitespace()) {
        return Err(UrlError::Blank);
    }
    let (scheme, rest) = text.split_once("://").ok_or(UrlError::SchemeMissing)?;
    let scheme = read_scheme(scheme)?;
    let before_query = rest.split(['?', '#']).next().unwrap_or_default();
    if before_query.contains('\\') {
        return Err(UrlError::Backslash);
    }
    let authority = before_query.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return Err(UrlError::UserInfo);
    }
    if authority.parse::<Ipv6Addr>().is_ok() {
        return Err(UrlError::HostAddress);
    }
    if authority.is_empty() || authority.starts_with(':') {
        return Err(UrlError::HostMissing);
    }
    if authority.starts_with('[') && authority.contains('%') {
        return Err(UrlError::Zone);
    }
    if rest.contains('#') {
        return Err(UrlError::Fragment);
    }
    Ok(scheme)
}

fn read_scheme(text: &str) -> Result<Scheme, UrlError> {
    if text.eq_ignore_ascii_case("https") {
        return Ok(Scheme::Https);
    }
    if text.eq_ignore_ascii_case("http") {
        return Ok(Scheme::Http);
    }
    let is_scheme = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    Err(if is_scheme { UrlError::Scheme { scheme: text.to_ascii_lowercase() } } else { UrlError::SchemeMissing })
}

/// Takes the one full stop away that may end a name: with and without it is the same host.
fn normalised(mut url: Url) -> Result<Url, UrlError> {
    let Some(url::Host::Domain(name)) = url.host() else { return Ok(url) };
    let Some(name) = name.strip_suffix('.').map(str::to_owned) else { return Ok(url) };
    if name.is_empty() || name.ends_with('.') {
        return Err(UrlError::EmptyLabel);
    }
    url.set_host(Some(&name)).map_err(what_is_wrong)?;
    Ok(url)
}

fn what_is_wrong(problem: ParseError) -> UrlError {
    match problem {
        ParseError::EmptyHost => UrlError::HostMissing,
        ParseError::InvalidPort => UrlError::Port,
        ParseError::InvalidIpv4Address | ParseError::InvalidIpv6Address => UrlError::HostAddress,
        // The list is open; what is left of it for an http url with a host concerns the host.
        _ => UrlError::HostName,
    }
}

impl Target {
    /// Returns the whole address, with its query: not for logs.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// Returns how to speak with the receiver.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Returns whom to connect to.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// Returns the port, 443 or 80 where the address names none.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Returns the value of the header `host`: the port only where it is not the scheme's own.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.url[Position::BeforeHost..Position::AfterPort]
    }

    /// Returns what stands in the first line of a request.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        &self.url[Position::BeforePath..Position::AfterQuery]
    }

    /// Returns the address without its secrets, for logs and History.
    #[must_use]
    pub fn redacted(&self) -> String {
        redact_url(&self.url)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Target({})", self.redacted())
    }
}

const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Host, Scheme, Target, UrlError};
    use crate::security::AddressRules;

    fn read(text: &str) -> Result<Target, UrlError> {
        AddressRules::default().check_url(text, false)
    }

    /// Checks authority, port, path and query of an address.
    fn check(text: &str, authority: &str, port: u16, path_and_query: &str) {
        let target = read(text).unwrap_or_else(|problem| panic!("{text}: {problem}"));
        assert_eq!(
            (target.authority(), target.port(), target.path_and_query()),
            (authority, port, path_and_query),
            "{text}"
        );
    }

    #[test]
    fn an_address_is_taken_apart() {
        check("https://hooks.example.com/in?key=1", "hooks.example.com", 443, "/in?key=1");
        check("http://hooks.example.com", "hooks.example.com", 80, "/");
        check("https://hooks.example.com:8443?a", "hooks.example.com:8443", 8443, "/?a");
        check("https://hooks.example.com:443/", "hooks.example.com", 443, "/");
        check("HTTPS://Hooks.Example.COM./In", "hooks.example.com", 443, "/In");
        check("https://hooks.example.com.:8443/in?a=b", "hooks.example.com:8443", 8443, "/in?a=b");
        check("https://bücher.example/straße?ö=ü", "xn--bcher-kva.example", 443, "/stra%C3%9Fe?%C3%B6=%C3%BC");
        check("https://8.8.8.8/a/../b", "8.8.8.8", 443, "/b");
        check("https://[2606:4700:0:0::1111]:8443/", "[2606:4700::1111]:8443", 8443, "/");
        check("https://134744072/", "8.8.8.8", 443, "/");
        check("https://_hooks.internal_zone.example.com/", "_hooks.internal_zone.example.com", 443, "/");
        assert_eq!(read("https://8.8.8.8/").unwrap().host(), &Host::Address("8.8.8.8".parse().unwrap()));
        assert_eq!(read("https://a.b./").unwrap().host(), &Host::Name("a.b".to_owned()));
        assert_eq!(read("http://a.b/").unwrap().scheme(), Scheme::Http);
    }

    #[test]
    fn http_is_refused_where_only_https_is_allowed() {
        let rules = AddressRules::default();
        assert_eq!(rules.check_url("http://example.com/", true), Err(UrlError::HttpsOnly));
        assert!(rules.check_url("https://example.com/", true).is_ok());
    }

    #[test]
    fn localhost_goes_with_the_loopback_addresses() {
        for range in ["127.0.0.0/8", "127.0.0.1/32", "::1/128"] {
            let rules = AddressRules::new(vec![range.parse().unwrap()]);
            assert!(rules.check_url("http://localhost:9000/", false).is_ok(), "{range}");
            assert!(rules.check_url("http://crm.localhost./", false).is_ok(), "{range}");
        }
        let rules = AddressRules::new(vec!["10.0.0.0/8".parse().unwrap()]);
        let host = "crm.localhost".to_owned();
        assert_eq!(rules.check_url("http://CRM.localhost./", false), Err(UrlError::Localhost { host }));
        assert!(rules.check_url("http://10.1.2.3/", false).is_ok());
    }

    #[test]
    fn the_longest_url_and_the_longest_names_are_taken() {
        let url = |bytes: usize| format!("https://example.com/{}", "a".repeat(bytes - 20));
        assert!(read(&url(2048)).is_ok());
        assert_eq!(read(&url(2049)), Err(UrlError::TooLong { bytes: 2049 }));
        let label = "a".repeat(63);
        assert!(read(&format!("https://{label}.com/")).is_ok());
        assert_eq!(read(&format!("https://{label}a.com/")), Err(UrlError::HostTooLong));
        let name = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        assert!(read(&format!("https://{name}./")).is_ok());
        assert_eq!(read(&format!("https://{name}a/")), Err(UrlError::HostTooLong));
    }

    #[test]
    fn a_refusal_and_a_target_show_no_secret() {
        for text in [
            "https://u:s3cret@example.com/",
            "gopher://example.com/?s3cret",
            "https://10.0.0.1/?s3cret",
            "https://localhost/?s3cret",
            "https://exa mple.com/?s3cret",
            "https://example.com/#s3cret",
            "example.com/?next=s3cret://",
            "https://example.com:99999/?s3cret",
            "https://1.2.3.4.5/?s3cret",
        ] {
            let problem = read(text).unwrap_err();
            assert!(!format!("{problem} {problem:?}").contains("s3cret"), "{problem:?}");
        }
        let target = read("https://example.com/in?s3cret").unwrap();
        assert_eq!(format!("{target:?}"), "Target(https://example.com/in?…)");
    }

    proptest! {
        #[test]
        fn no_text_panics_and_a_target_reads_as_itself(text in "\\PC*") {
            same_again(&format!("https://{text}"))?;
            same_again(&text)?;
        }

        #[test]
        fn near_misses_too(text in "(https|http|HTTPS)://[a-z0-9.%x@:\\[\\]-]{1,20}(:[0-9]{1,5})?(/[!-~]{0,20})?") {
            same_again(&text)?;
        }
    }

    /// What is taken is taken again, unchanged, and is what the HTTP library can send.
    fn same_again(text: &str) -> Result<(), TestCaseError> {
        if let Ok(target) = read(text) {
            let again = read(target.url().as_str());
            prop_assert_eq!(again.as_ref(), Ok(&target));
            prop_assert!(target.authority().parse::<http::uri::Authority>().is_ok(), "{}", target.authority());
            let path = target.path_and_query().parse::<http::uri::PathAndQuery>().map(|path| path.to_string());
            prop_assert_eq!(path.ok(), Some(target.path_and_query().to_owned()));
        }
        Ok(())
    }
}
