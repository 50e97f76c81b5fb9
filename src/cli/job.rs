//! Jobs of the server: waited for, with a progress bar on a terminal. And how a command reads JSON.
//!
//! Not what a job does or how it is judged: that is its command's.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Client, Request};
use super::column::show_ms;
use super::context::Context;
use super::exit::Failure;

/// How a command watches a job.
pub(crate) struct Watch<'a> {
    /// Where the job is.
    pub(crate) path: &'a str,
    /// What is told beside the bar.
    pub(crate) words: fn(&Value) -> String,
    /// What is told where nothing moves for a while.
    pub(crate) when_still: Option<&'a str>,
    /// Whether Ctrl-C ends the job, and not only the command.
    pub(crate) ends_with_command: bool,
}

impl Watch<'_> {
    /// Looks at the job until it has ended: often at first, then once a second.
    pub(crate) async fn wait(self, client: &mut Client, context: &mut Context) -> Result<Value, Failure> {
        let bar = context.console.progress(Some(BAR_STEPS), "{bar:40} {percent} % {msg}");
        let mut pause = PAUSE_FIRST;
        let mut moved = (Value::Null, context.clock.monotonic());
        let mut is_still_told = false;
        let job = loop {
            let job = client.send(&Request::get(self.path)).await?;
            let now = context.clock.monotonic();
            if job.get("counts") != Some(&moved.0) {
                moved = (job.get("counts").cloned().unwrap_or_default(), now);
                is_still_told = false;
            } else if let Some(told) = self.when_still
                && !is_still_told
                && now.since(moved.1) >= STILL_AFTER
                && !has_ended(&job)
            {
                is_still_told = true;
                bar.suspend(|| context.console.warn(told));
            }
            bar.set_position(steps(&job));
            let rest = job.pointer("/etaMs").and_then(Value::as_u64);
            let rest = rest.map(|ms| format!(", {} to go", show_ms(ms))).unwrap_or_default();
            bar.set_message(format!("{}{rest}", (self.words)(&job)));
            if has_ended(&job) {
                break job;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE_LONGEST),
                _ = tokio::signal::ctrl_c(), if self.ends_with_command => {
                    drop(client.send(&Request::post(format!("{}/cancel", self.path), json!({}))).await);
                }
            }
        };
        bar.finish_and_clear();
        Ok(job)
    }
}

/// Returns why a job failed, as a failure of the command.
pub(crate) fn failed(what: &str, job: &Value) -> Failure {
    let told = ["/problem/detail", "/problem/title"].map(|pointer| word(job, pointer));
    let reason = told.into_iter().find(|text| !text.is_empty()).unwrap_or("the server does not say why");
    Failure::failed(format!("the {what} failed: {reason}"))
}

/// Returns a text, or an empty one where there is none.
pub(crate) fn word<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Returns a whole number, or zero where there is none.
pub(crate) fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

/// Returns the members of a list, or none where there is none.
pub(crate) fn members<'v>(value: &'v Value, pointer: &str) -> impl Iterator<Item = &'v Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

fn has_ended(job: &Value) -> bool {
    matches!(word(job, "/state"), "completed" | "cancelled" | "failed")
}

fn steps(job: &Value) -> u64 {
    let progress = job.pointer("/progress").and_then(Value::as_f64).unwrap_or_default();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a thousand steps")]
    let steps = (progress * 1000.0) as u64;
    if has_ended(job) { BAR_STEPS } else { steps }
}

const BAR_STEPS: u64 = 1000;
/// A job of a few events has ended before anybody looks; one of a day is not asked about ten times a second.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_LONGEST: Duration = Duration::from_secs(1);
/// A receiver may take its time; after this people wonder.
const STILL_AFTER: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_the_share_that_is_done_and_is_full_at_the_end() {
        assert_eq!(steps(&json!({"state": "running", "progress": 0.25})), 250);
        assert_eq!(steps(&json!({"state": "queued"})), 0);
        assert_eq!(steps(&json!({"state": "completed", "progress": 0})), 1000);
    }

    #[test]
    fn a_failure_says_why_as_well_as_it_is_known() {
        let told = |job: Value| format!("{:?}", failed("replay", &job));
        assert!(told(json!({"problem": {"title": "disk", "detail": "it is full"}})).contains("it is full"));
        assert!(told(json!({"problem": {"title": "disk"}})).contains("disk"));
        assert!(told(json!({})).contains("does not say why"));
    }
}
