//! What logs and History show of an address: enough to find it, nothing that opens it.
//!
//! Not for sending: what is taken out is gone. Query strings and user information are secrets, because
//! many receivers carry a key there.

use url::Url;

/// Returns an address without its secrets: `https://hooks.example.com/in?…`.
#[must_use]
pub fn redact_url(url: &Url) -> String {
    let mut shown = format!("{}://", url.scheme());
    if !url.username().is_empty() || url.password().is_some() {
        shown.push_str("…@");
    }
    shown.push_str(url.host_str().unwrap_or_default());
    if let Some(port) = url.port() {
        shown.push_str(&format!(":{port}"));
    }
    shown.push_str(url.path());
    if url.query().is_some() {
        shown.push_str("?…");
    }
    if url.fragment().is_some() {
        shown.push_str("#…");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::redact_url;

    fn check(url: &str, expected: &str) {
        assert_eq!(redact_url(&url::Url::parse(url).unwrap()), expected);
    }

    #[test]
    fn the_place_is_shown_and_the_secrets_are_not() {
        check("https://hooks.example.com/in", "https://hooks.example.com/in");
        check("https://hooks.example.com", "https://hooks.example.com/");
        check("https://hooks.example.com:8443/in?key=s3cret&x", "https://hooks.example.com:8443/in?…");
        check("https://hooks.example.com/?", "https://hooks.example.com/?…");
        check("https://user:s3cret@hooks.example.com/in", "https://…@hooks.example.com/in");
        check("https://s3cret@hooks.example.com/in", "https://…@hooks.example.com/in");
        check("https://:s3cret@hooks.example.com/in", "https://…@hooks.example.com/in");
        check("https://hooks.example.com/in#s3cret", "https://hooks.example.com/in#…");
        check("http://[2606:4700::1]:8080/a?b#c", "http://[2606:4700::1]:8080/a?…#…");
    }
}
