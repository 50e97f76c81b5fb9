//! Where the server is and what lets us in: flags first, then the environment, then the data directory.
//!
//! Not the connecting itself. The token that `hooklog serve` left in its data directory is shown only to
//! a server on this machine, unless the directory was named on purpose.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use url::{Host, Url};

use crate::security::Secret;

use super::exit::Failure;

/// Where the admin API is, and the token to show.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    /// Where the server is.
    pub(crate) url: Url,
    /// What to show, where something was found.
    pub(crate) token: Option<Secret<String>>,
}

/// How to reach a running hooklog.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectionArguments {
    /// Where the admin API is [or HOOKLOG_URL; default: http://127.0.0.1:7071]
    #[arg(long, global = true, value_name = "URL")]
    url: Option<Url>,
    /// A file with the token to show [or the token itself in HOOKLOG_TOKEN]
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The data directory of `hooklog serve` on this machine, which holds operator.token [default: ./hooklog-data]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl ConnectionArguments {
    /// Finds out where the server is and what to show.
    ///
    /// # Errors
    /// `Usage` where a value has a wrong form or a file that was named cannot be read.
    pub(crate) fn resolve(&self, environment: &BTreeMap<String, String>) -> Result<Connection, Failure> {
        let url = url_of(self.url.as_ref(), environment, "HOOKLOG_URL", URL_DEFAULT)?;
        let token = match (&self.token_file, variable(environment, "HOOKLOG_TOKEN")) {
            (Some(path), _) => Some(read_token(path)?),
            (None, Some(token)) => Some(token.to_owned()),
            (None, None) => self.discover(&url, variable(environment, "HOOKLOG_DATA"))?,
        };
        Ok(Connection { url, token: token.map(Secret::new) })
    }

    /// Looks for the token that a server on this machine made for its operator.
    fn discover(&self, url: &Url, data: Option<&str>) -> Result<Option<String>, Failure> {
        if let Some(data) = &self.data {
            return read_token(&data.join(TOKEN_FILE)).map(Some);
        }
        if !is_this_machine(url) {
            return Ok(None);
        }
        let path = Path::new(data.unwrap_or(DATA_DEFAULT)).join(TOKEN_FILE);
        if path.exists() { read_token(&path).map(Some) } else { Ok(None) }
    }
}

/// Returns the value of a variable; an empty one counts as absent.
pub(crate) fn variable<'e>(environment: &'e BTreeMap<String, String>, name: &str) -> Option<&'e str> {
    environment.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
}

/// Returns where something is: as the flag says, else the variable, else where it is by default.
///
/// # Errors
/// `Usage` where the variable is no URL.
pub(crate) fn url_of(
    flag: Option<&Url>,
    environment: &BTreeMap<String, String>,
    name: &str,
    default: &str,
) -> Result<Url, Failure> {
    match (flag, variable(environment, name)) {
        (Some(url), _) => Ok(url.clone()),
        (None, Some(text)) => Url::parse(text).map_err(|reason| Failure::usage(format!("{name} is no URL: {reason}"))),
        (None, None) => Ok(Url::parse(default).expect("the default is a URL")),
    }
}

/// Reads a token from a file.
pub(crate) fn read_token(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|reason| Failure::usage(format!("cannot read the token in {}: {reason}", path.display())))?;
    let token = text.trim();
    if token.is_empty() {
        return Err(Failure::usage(format!("{} is empty: it should hold a token", path.display())));
    }
    Ok(token.to_owned())
}

/// Returns whether a URL leads to this machine and nowhere else.
pub(crate) fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

const URL_DEFAULT: &str = "http://127.0.0.1:7071";
const DATA_DEFAULT: &str = "hooklog-data";
const TOKEN_FILE: &str = "operator.token";

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use url::Url;

    use super::ConnectionArguments;

    struct Case {
        folder: tempfile::TempDir,
        arguments: ConnectionArguments,
        environment: BTreeMap<String, String>,
    }

    impl Case {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("operator.token"), "hlo_found\n").unwrap();
            std::fs::write(folder.path().join("named"), "hlo_named\n").unwrap();
            Self { folder, arguments: ConnectionArguments::default(), environment: BTreeMap::new() }
        }

        fn variable(mut self, name: &str, value: &str) -> Self {
            self.environment.insert(name.to_owned(), value.to_owned());
            self
        }

        fn data_variable(self) -> Self {
            let path = self.folder.path().display().to_string();
            self.variable("HOOKLOG_DATA", &path)
        }

        fn url(mut self, url: &str) -> Self {
            self.arguments.url = Some(Url::parse(url).unwrap());
            self
        }

        fn token_file(mut self) -> Self {
            self.arguments.token_file = Some(self.folder.path().join("named"));
            self
        }

        fn data(mut self) -> Self {
            self.arguments.data = Some(self.folder.path().to_path_buf());
            self
        }

        fn finds(self, url: &str, token: Option<&str>) {
            let found = self.arguments.resolve(&self.environment).unwrap();
            assert_eq!((found.url.as_str(), found.token.as_ref().map(|token| token.expose().as_str())), (url, token));
        }
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_what_lies_about() {
        let here = "http://127.0.0.1:7071/";
        Case::new().finds(here, None);
        Case::new().data_variable().finds(here, Some("hlo_found"));
        Case::new().data_variable().variable("HOOKLOG_TOKEN", "hlo_env").finds(here, Some("hlo_env"));
        Case::new().data_variable().variable("HOOKLOG_TOKEN", "hlo_env").token_file().finds(here, Some("hlo_named"));
        Case::new().data().finds(here, Some("hlo_found"));
        Case::new().variable("HOOKLOG_URL", "http://a:1").finds("http://a:1/", None);
        Case::new().variable("HOOKLOG_URL", "http://a:1").url("http://b:2").finds("http://b:2/", None);
        Case::new().variable("HOOKLOG_URL", " ").variable("HOOKLOG_TOKEN", "").finds(here, None);
    }

    #[test]
    fn the_token_of_this_machine_is_not_shown_to_another() {
        Case::new().data_variable().url("https://hooklog.example").finds("https://hooklog.example/", None);
        Case::new().data().url("https://hooklog.example").finds("https://hooklog.example/", Some("hlo_found"));
        Case::new().data_variable().url("http://localhost:7071").finds("http://localhost:7071/", Some("hlo_found"));
        Case::new().data_variable().url("http://[::1]:7071").finds("http://[::1]:7071/", Some("hlo_found"));
        Case::new().data_variable().url("http://127.0.0.1.example").finds("http://127.0.0.1.example/", None);
    }

    #[test]
    fn what_was_named_and_is_not_there_is_wrong_usage() {
        let mut case = Case::new().token_file();
        std::fs::remove_file(case.folder.path().join("named")).unwrap();
        assert_eq!(case.arguments.resolve(&case.environment).unwrap_err().exit().code(), 2);
        case = Case::new().data();
        std::fs::write(case.folder.path().join("operator.token"), " \n").unwrap();
        assert_eq!(case.arguments.resolve(&case.environment).unwrap_err().exit().code(), 2);
        case = Case::new().variable("HOOKLOG_URL", "nonsense");
        assert_eq!(case.arguments.resolve(&case.environment).unwrap_err().exit().code(), 2);
    }
}
