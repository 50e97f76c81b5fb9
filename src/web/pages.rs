//! The codes as people read them: a list for programs, a page for each.
//!
//! Not the problem of one request. A page is small, whole in itself and loads nothing from anywhere.

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, Response};
use http_body_util::Full;
use serde::{Deserialize, Serialize};

use super::codes::Code;
use super::problem::Problem;

/// A code with everything that is said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CodeDescription {
    /// Address of the page.
    #[serde(rename = "type")]
    pub kind: String,
    /// Stable text for programs.
    pub code: String,
    /// The status it is answered with.
    pub status: u16,
    /// One sentence.
    pub title: String,
    /// Why this happens.
    pub cause: String,
    /// What to do about it.
    pub remedy: String,
}

impl From<Code> for CodeDescription {
    fn from(code: Code) -> Self {
        Self {
            kind: format!("/problems/{code}"),
            code: code.as_str().to_owned(),
            status: code.status().as_u16(),
            title: code.title().to_owned(),
            cause: code.cause().to_owned(),
            remedy: code.remedy().to_owned(),
        }
    }
}

/// Describes every code, by status.
#[must_use]
pub fn code_descriptions() -> Vec<CodeDescription> {
    Code::ALL.iter().copied().map(CodeDescription::from).collect()
}

/// Answers `GET /problems/{code}`: a page, or JSON for who prefers it.
///
/// # Errors
/// `not_found` where there is no such code.
pub fn code_page(code: &str, headers: &HeaderMap) -> Result<Response<Full<Bytes>>, Problem> {
    let code = Code::parse(code).ok_or_else(|| {
        Problem::new(Code::NotFound).detail("there is no problem of this code; GET /api/v1/problems lists them all")
    })?;
    let (content_type, body) = if prefers_json(headers) {
        let description = serde_json::to_vec(&CodeDescription::from(code)).expect("a description is text and a number");
        ("application/json", description)
    } else {
        ("text/html; charset=utf-8", html(code).into_bytes())
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    );
    Ok(response)
}

/// Whether JSON is named and a page is not: a browser always names `text/html`.
fn prefers_json(headers: &HeaderMap) -> bool {
    let accepts = |media_type: &str| {
        headers
            .get_all(ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|range| range.split(';').next().is_some_and(|range| range.trim().eq_ignore_ascii_case(media_type)))
    };
    (accepts("application/json") || accepts("application/problem+json")) && !accepts("text/html")
}

fn html(code: Code) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{code}: {title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <p><code>{code}</code> <span>HTTP {status}</span></p>\n<h1>{title}</h1>\n\
         <h2>Why this happens</h2>\n<p>{cause}</p>\n<h2>What to do</h2>\n<p>{remedy}</p>\n\
         </main>\n</body>\n</html>\n",
        title = marked_up(code.title()),
        status = code.status().as_u16(),
        cause = marked_up(code.cause()),
        remedy = marked_up(code.remedy()),
    )
}

/// Escapes a text and sets what stands between backticks as code.
fn marked_up(text: &str) -> String {
    let mut markup = String::with_capacity(text.len() + 64);
    let mut is_code = false;
    for character in text.chars() {
        match character {
            '&' => markup.push_str("&amp;"),
            '<' => markup.push_str("&lt;"),
            '>' => markup.push_str("&gt;"),
            '"' => markup.push_str("&quot;"),
            '`' => {
                markup.push_str(if is_code { "</code>" } else { "<code>" });
                is_code = !is_code;
            }
            other => markup.push(other),
        }
    }
    markup
}

const STYLE: &str = ":root{color-scheme:light dark}body{margin:0;font:16px/1.55 system-ui,sans-serif}\
    main{max-width:40rem;margin:3rem auto;padding:0 1.25rem}h1{font-size:1.6rem;line-height:1.25;margin:.25rem 0 1.5rem}\
    h2{font-size:1rem;margin:1.5rem 0 .25rem}p{margin:0}span{opacity:.7;margin-left:.5rem}\
    code{font:.9em ui-monospace,monospace;background:color-mix(in srgb,currentColor 10%,transparent);\
    padding:.1em .35em;border-radius:.25em;overflow-wrap:anywhere}";

#[cfg(test)]
mod tests {
    use http::header::ACCEPT;
    use http::{HeaderMap, HeaderValue};

    use super::{Code, code_descriptions, code_page, html, marked_up};

    #[test]
    fn every_page_is_whole_in_itself() {
        for code in Code::ALL {
            let page = html(*code);
            for outside in ["http://", "src=", "<link", "<script", "url("] {
                assert!(!page.contains(outside), "{code} {outside}");
            }
            assert_eq!(page.matches("<code>").count(), page.matches("</code>").count(), "{code}");
            assert!(page.contains(&marked_up(code.remedy())), "{code}");
        }
        assert_eq!(code_descriptions().len(), Code::ALL.len());
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(marked_up("a `<b>` & \"c\""), "a <code>&lt;b&gt;</code> &amp; &quot;c&quot;");
    }

    #[test]
    fn json_is_for_who_asks_for_it() {
        let check = |accept: Option<&'static str>, expected: &str| {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(ACCEPT, HeaderValue::from_static(accept));
            }
            let response = code_page("range_expired", &headers).unwrap();
            assert!(response.headers()["content-type"].to_str().unwrap().starts_with(expected), "{accept:?}");
        };
        check(None, "text/html");
        check(Some("*/*"), "text/html");
        check(Some("application/json"), "application/json");
        check(Some("Application/JSON; q=0.9, */*"), "application/json");
        check(Some("text/html,application/xhtml+xml,application/json;q=0.9"), "text/html");
        assert_eq!(code_page("nonsense", &HeaderMap::new()).unwrap_err().code(), Code::NotFound);
    }
}
