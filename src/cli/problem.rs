//! What went wrong, told to people or to programs.
//!
//! Not a list of codes: the server has it, and a code that this program does not know is shown as well.
//! Everything here goes to stderr; with `-o json` it is one JSON text, else sentences with the next command.

use serde_json::{Value, json};

use super::console::{Console, Format, pretty};
use super::exit::{Exit, Failure};

/// What the server answered instead of what was asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Problem {
    status: u16,
    document: Value,
}

impl Problem {
    /// Reads an answer that is no success. What is no problem document is made one, with the text in it.
    pub(crate) fn read(status: u16, body: &[u8]) -> Self {
        let document = serde_json::from_slice::<Value>(body).ok().filter(|body| body.get("title").is_some());
        let document = document.unwrap_or_else(|| {
            let text = String::from_utf8_lossy(body);
            let start: String = text.trim().chars().take(EXCERPT_CHARACTERS).collect();
            let title = format!("The server answered {status}, and not as hooklog does");
            json!({"type": "about:blank", "title": title, "status": status, "detail": start})
        });
        Self { status, document }
    }

    /// Returns whether the server did not understand what it was asked, or a value is wrong: the same fails again.
    pub(crate) const fn is_of_what_was_asked(&self) -> bool {
        matches!(self.status, 400 | 413 | 415 | 422)
    }

    /// Returns the status of the answer.
    pub(crate) const fn status(&self) -> u16 {
        self.status
    }

    /// Returns the code, empty where there is none.
    pub(crate) fn code(&self) -> &str {
        self.text("code")
    }

    /// Returns the document as the server sent it.
    pub(crate) const fn document(&self) -> &Value {
        &self.document
    }

    /// Tells the problem in lines: title, detail, each place at fault, what to do, which request it was.
    pub(crate) fn lines(&self) -> Vec<String> {
        let code = if self.code().is_empty() { String::new() } else { format!(" ({} {})", self.status, self.code()) };
        let mut lines = vec![format!("{}{code}", self.text("title"))];
        let errors = self.document.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        // The detail often is the only place's own, with the place before it.
        let says = |error: &Value| {
            let member = |name| error.get(name).and_then(Value::as_str).unwrap_or_default();
            let place = member("pointer").trim_start_matches('?');
            let detail = self.text("detail");
            detail == member("detail") || detail == format!("{place}: {}", member("detail"))
        };
        if !self.text("detail").is_empty() && !errors.iter().any(says) {
            lines.push(format!("  {}", self.text("detail")));
        }
        for error in errors.iter().take(ERRORS_SHOWN) {
            let member = |name| error.get(name).and_then(Value::as_str).unwrap_or_default();
            let place = if member("pointer").is_empty() { "the whole body" } else { member("pointer") };
            lines.push(format!("  {place}: {}", member("detail")));
        }
        if errors.len() > ERRORS_SHOWN {
            lines.push(format!("  and {} more; -o json shows all", errors.len() - ERRORS_SHOWN));
        }
        for (name, words) in MEMBERS {
            if let Some(value) = self.document.get(name).filter(|value| !value.is_null()) {
                lines.push(format!("  {words}: {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
            }
        }
        let needs_operator = self.text("missing") == "operator";
        let hint = if needs_operator { Some(OPERATOR_HINT) } else { hint(self.code(), self.status) };
        if let Some(hint) = hint {
            lines.push(format!("  try: {hint}"));
        }
        if !self.text("instance").is_empty() {
            lines.push(format!("  request {}", self.text("instance")));
        }
        lines
    }

    /// Tells the problem in one sentence.
    pub(crate) fn sentence(&self) -> String {
        let detail = self.text("detail");
        if detail.is_empty() { self.text("title").to_owned() } else { format!("{}: {detail}", self.text("title")) }
    }

    fn text(&self, name: &str) -> &str {
        self.document.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Tells of a failure in the format of the console, and says how the process ends with it.
pub(crate) fn tell(console: &mut Console, failure: &Failure) -> Exit {
    let exit = failure.exit();
    if failure.is_reader_gone() {
        return exit;
    }
    let document = match failure {
        Failure::Problem(problem) => problem.document().clone(),
        Failure::Usage(sentence) => json!({"type": "about:blank", "code": "usage", "title": sentence}),
        Failure::Failed(reason) => json!({"type": "about:blank", "code": "failed", "title": format!("{reason:#}")}),
    };
    match (console.format(), failure) {
        (Format::Json, _) => console.note(&pretty(&document)),
        (Format::Ndjson, _) => console.note(&document.to_string()),
        (Format::Table | Format::Csv, Failure::Problem(problem)) => console.complain(&problem.lines().join("\n")),
        (Format::Table | Format::Csv, Failure::Usage(sentence)) => console.complain(sentence),
        (Format::Table | Format::Csv, Failure::Failed(reason)) => console.complain(&format!("{reason:#}")),
    }
    exit
}

const OPERATOR_HINT: &str =
    "with an operator's token: the one in operator.token, or of hooklog token create --name NAME";

/// Returns the command that helps with a problem.
pub(crate) fn hint(code: &str, status: u16) -> Option<&'static str> {
    match code {
        "account_not_found" => Some("hooklog account list, or hooklog account set NAME to create it"),
        "endpoint_not_found" => Some("hooklog endpoint list ACCOUNT"),
        "event_not_found" => Some("hooklog event list ACCOUNT (an offset is written ACCOUNT/@41)"),
        "delivery_not_found" => Some("hooklog delivery list ACCOUNT/ENDPOINT"),
        "token_not_found" => Some("hooklog token list"),
        "job_not_found" | "job_not_cancellable" => Some("hooklog replay list ACCOUNT"),
        "precondition_failed" => Some("read it again, then repeat the change with --if-match and its new revision"),
        "queue_full" | "disk_full" => Some("hooklog status"),
        "invalid_url" | "forbidden_address" => Some("hooklog endpoint set --help"),
        "forbidden" => Some("a token with this permission: hooklog token create ACCOUNT --permission …"),
        "unauthorized" => Some(TOKEN_HINT),
        _ if status == 401 => Some(TOKEN_HINT),
        _ => None,
    }
}

const TOKEN_HINT: &str =
    "set HOOKLOG_TOKEN, say --token-file FILE, or --data DIR where hooklog serve keeps operator.token";
/// Characters shown of an answer that is no problem document.
const EXCERPT_CHARACTERS: usize = 400;
/// Places at fault that are shown to people.
const ERRORS_SHOWN: usize = 10;
/// What a problem may add, and the words for it.
const MEMBERS: [(&str, &str); 3] =
    [("missing", "missing permission"), ("oldestOffset", "oldest offset kept"), ("waiting", "waiting")];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Problem, tell};
    use crate::cli::console::Format;
    use crate::cli::exit::{Exit, Failure};
    use crate::cli::tests::Captured;

    fn refused() -> Problem {
        let body = json!({"type": "/problems/invalid_request", "code": "invalid_request", "status": 422,
            "title": "The request was understood but is wrong", "detail": "2 members", "instance": "01J",
            "errors": [{"pointer": "/url", "detail": "must be https"}, {"pointer": "", "detail": "is too large"}]});
        Problem::read(422, body.to_string().as_bytes())
    }

    #[test]
    fn people_are_told_where_and_what_next() {
        let lines = refused().lines();
        assert_eq!(
            lines,
            [
                "The request was understood but is wrong (422 invalid_request)",
                "  2 members",
                "  /url: must be https",
                "  the whole body: is too large",
                "  request 01J",
            ]
        );
        let missing = json!({"title": "The token may not do this", "code": "forbidden", "missing": "secrets"});
        let lines = Problem::read(403, missing.to_string().as_bytes()).lines();
        assert_eq!(lines[1], "  missing permission: secrets");
        assert!(lines[2].contains("hooklog token create"));
    }

    #[test]
    fn what_is_no_problem_document_is_shown_as_it_came() {
        let problem = Problem::read(502, b"<html>Bad gateway</html>");
        assert_eq!(problem.lines()[0], "The server answered 502, and not as hooklog does");
        assert_eq!(problem.lines()[1], "  <html>Bad gateway</html>");
    }

    #[test]
    fn it_goes_to_stderr_as_words_or_as_json() {
        let mut captured = Captured::new(Format::Table);
        assert_eq!(tell(&mut captured.console, &Failure::Problem(refused())), Exit::Usage, "a value is wrong");
        assert!(captured.error().starts_with("error: The request was understood"));
        assert_eq!(captured.out(), "");

        let missing = Failure::Problem(Problem::read(404, b"{}"));
        assert_eq!(tell(&mut Captured::new(Format::Table).console, &missing), Exit::Failed);

        let mut captured = Captured::new(Format::Json);
        tell(&mut captured.console, &Failure::Problem(refused()));
        let told: serde_json::Value = serde_json::from_str(&captured.error()).unwrap();
        assert_eq!(told["errors"][0]["pointer"], "/url");

        let mut captured = Captured::new(Format::Ndjson);
        assert_eq!(tell(&mut captured.console, &Failure::usage("say --yes")), Exit::Usage);
        assert_eq!(captured.error(), "{\"code\":\"usage\",\"title\":\"say --yes\",\"type\":\"about:blank\"}\n");
    }
}
