//! The page of the documentation that lists all keys.
//!
//! Not written by hand: it says what the table of keys says. `docs/settings.md` is this page, and a test
//! compares the two.

use std::time::Duration;

use super::raw::{Bounds, Fallback, KEYS, Key, Kind};
use super::units::{format_duration, format_size};

/// Writes the reference of all settings as Markdown.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(HEAD);
    let mut section = None;
    for key in KEYS {
        let of = key.path.split_once('.').map_or("", |(first, _)| first);
        if section != Some(of) {
            section = Some(of);
            page.push_str(&heading(of));
            page.push_str("| key | meaning | written as | default | least and greatest | zero |\n");
            page.push_str("|---|---|---|---|---|---|\n");
        }
        page.push_str(&row(key));
    }
    page.push_str(TAIL);
    page
}

fn heading(section: &str) -> String {
    match section {
        "" => "\n## Of the process\n\n".to_owned(),
        table => format!("\n## `{table}`\n\n"),
    }
}

fn row(key: &Key) -> String {
    let name = match key.flag {
        Some(flag) => format!("`{}` (`{flag}`)", key.path),
        None => format!("`{}`", key.path),
    };
    let cells = [name, key.meaning.to_owned(), form(&key.kind), default(key), limits(&key.kind), zero(&key.kind)];
    format!("| {} |\n", cells.join(" | "))
}

fn form(kind: &Kind) -> String {
    match kind {
        Kind::Choice(choices) => choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(" or "),
        Kind::Path => "path".to_owned(),
        Kind::Address => "IP address and port".to_owned(),
        Kind::Switch => "`true` or `false`".to_owned(),
        Kind::LogFilter => "filter".to_owned(),
        Kind::Count(_) => "number".to_owned(),
        Kind::CountOrAuto(_) => "`auto` or number".to_owned(),
        Kind::Size(_) => "size".to_owned(),
        Kind::Duration(_) => "duration".to_owned(),
        Kind::Durations(_) => "list of durations".to_owned(),
        Kind::Paths => "list of paths".to_owned(),
        Kind::Ranges => "list of address ranges".to_owned(),
        Kind::Secrets => "list of tokens, secret".to_owned(),
    }
}

fn default(key: &Key) -> String {
    match key.default {
        Fallback::Value("") => "empty".to_owned(),
        Fallback::Value(text) => format!("`{}`", text.replace(',', ", ")),
        Fallback::Nothing(means) => means.to_owned(),
    }
}

fn limits(kind: &Kind) -> String {
    let Some(Bounds { least, greatest, .. }) = kind.bounds() else { return "–".to_owned() };
    let shown = |number: u64| match kind {
        Kind::Size(_) => format_size(number),
        Kind::Duration(_) | Kind::Durations(_) => format_duration(Duration::from_millis(number)),
        _ => number.to_string(),
    };
    format!("{} to {}", shown(*least), shown(*greatest))
}

fn zero(kind: &Kind) -> String {
    kind.bounds().map_or_else(|| "–".to_owned(), |bounds| bounds.zero.to_owned())
}

const HEAD: &str = r#"# Settings

This page is written by `hooklog config reference` from the table that the program itself reads.

A setting comes from a flag, else from the environment, else from the settings file, else it has its default. A wrong
value is an error (exit code 2) that says where it stands, even where a stronger source overrides it.

- **File**: TOML, `hooklog.toml` in the current directory where there is one, or the one named by `--config`. A key that
  is not on this page is an error with line and column. `[ingest]` and below it `listen = "127.0.0.1:7070"` is the same
  as `ingest.listen = "127.0.0.1:7070"`.
- **Environment**: `HOOKLOG_`, then the key in capitals with `__` for each dot: `HOOKLOG_INGEST__LISTEN`. A list is
  written with commas (`5s,5m,30m`) or as in a file. A name that begins with `HOOKLOG_` and is not known is a warning.
- **Flags** of `hooklog serve`: those named below.
- **Durations** are a whole number and one of `ms`, `s`, `m`, `h`, `d`, such as `"15s"` and `"30d"`; a number without a
  unit is an error. **Sizes** are a number of bytes, or a whole number and one of `KiB`, `MiB`, `GiB`, `TiB`, such as
  `"64MiB"`. Relative **paths** begin at the directory in which the process was started.

`hooklog config show` prints the settings in effect, secrets hidden, each with where it came from.

Outside loopback, ingest needs tokens, and either listener needs TLS or the setting `ingest.insecure` /
`admin.insecure` `= true`; a start without is refused.
"#;

const TAIL: &str = "
## Environment only

These are no settings: they are secrets, or belong to commands, and an empty one counts as absent.

| variable | meaning |
|---|---|
| `HOOKLOG_OPERATOR_TOKEN` | The operator's token, instead of one that the first start makes and keeps in `operator.token`. |
| `HOOKLOG_MASTER_KEY` | The key that seals the keystore: 32 bytes as hex or base64, instead of `security.key_file`. |
| `HOOKLOG_URL` | Where commands find the API of a server on another machine. |
| `HOOKLOG_TOKEN` | The token that commands show to it. |
| `HOOKLOG_INGEST_URL` | Where `event send` and `simulate` find the ingest listener of a server on another machine. |
| `HOOKLOG_INGEST_TOKEN` | The token that they show to it. |
";
