//! What a command prints while it works: a heading for each step, its duration, and what was left out.
//! All of it goes to standard error, which leaves standard output to what was asked for.
//!
//! Not a log and not a scheduler: steps run one after another, and the first that fails ends the command. What
//! could not be checked is never silent: it is said where it happens and again at the end.

use std::fmt;
use std::process;
use std::time::{Duration, Instant};

/// What a step or a command comes to.
pub(crate) type Outcome = Result<(), Failure>;

/// Why a command ends early.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    is_usage: bool,
}

impl Failure {
    /// Makes the failure of something that was tried.
    pub(crate) const fn new(message: String) -> Self {
        Self { message, is_usage: false }
    }

    /// Makes the failure of someone who asked for what does not exist.
    pub(crate) const fn usage(message: String) -> Self {
        Self { message, is_usage: true }
    }

    /// Returns what the process ends with.
    pub(crate) const fn exit_code(&self) -> u8 {
        if self.is_usage { 2 } else { 1 }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

/// The steps of one command so far.
pub(crate) struct Steps {
    started: Instant,
    done: Vec<(&'static str, Duration)>,
    left_out: Vec<String>,
}

impl Steps {
    /// Makes an empty list and starts its watch.
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), done: Vec::new(), left_out: Vec::new() }
    }

    /// Runs one step under its heading.
    ///
    /// # Errors
    /// What the step itself failed with, preceded by its title.
    pub(crate) fn step(&mut self, title: &'static str, work: impl FnOnce(&mut Self) -> Outcome) -> Outcome {
        eprintln!("\n== {title}");
        let started = Instant::now();
        let left_out = self.left_out.len();
        let outcome = work(self);
        let took = started.elapsed();
        match outcome {
            Ok(()) => {
                let verdict = if self.left_out.len() == left_out { "ok" } else { "ok as far as it was checked" };
                eprintln!("   {title}: {verdict}, {}", seconds(took));
                self.done.push((title, took));
                Ok(())
            }
            Err(Failure { message, is_usage }) => {
                Err(Failure { message: format!("{title} failed after {}: {message}", seconds(took)), is_usage })
            }
        }
    }

    /// Says that something was not done, now and at the end.
    pub(crate) fn leave_out(&mut self, what: String) {
        eprintln!("   not checked: {what}");
        self.left_out.push(what);
    }

    /// Prints what was done and what was left out.
    pub(crate) fn finish(&self) {
        let what = if self.left_out.is_empty() { "everything" } else { "everything that could be checked" };
        eprintln!("\n== {what} passed in {}", seconds(self.started.elapsed()));
        for (title, took) in &self.done {
            eprintln!("   {:>9}  {title}", seconds(*took));
        }
        for what in &self.left_out {
            eprintln!("   not checked: {what}");
        }
    }
}

/// Prints a command as one would type it, runs it, and waits for it.
///
/// # Errors
/// Where it cannot be started or does not end with 0.
pub(crate) fn execute(command: &mut process::Command) -> Outcome {
    let line = typed(command);
    eprintln!("   $ {line}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::new(format!("`{line}` ended with {status}"))),
        Err(problem) => Err(Failure::new(format!("`{line}` cannot be started: {problem}"))),
    }
}

/// Runs a command silently and returns what it printed, trimmed, or nothing where it failed.
pub(crate) fn ask(command: &mut process::Command) -> Option<String> {
    let output = command.stdin(process::Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn typed(command: &process::Command) -> String {
    let program = command.get_program().to_string_lossy();
    let mut line = program.rsplit('/').next().unwrap_or(&program).to_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

fn seconds(duration: Duration) -> String {
    let whole = duration.as_secs();
    if whole < 60 { format!("{:.1} s", duration.as_secs_f64()) } else { format!("{} min {} s", whole / 60, whole % 60) }
}

#[cfg(test)]
mod tests {
    use std::process;
    use std::time::Duration;

    use super::{Failure, Steps, ask, execute, seconds};

    #[test]
    fn a_command_passes_only_with_zero() {
        assert!(execute(&mut process::Command::new("true")).is_ok());
        let failure = execute(&mut process::Command::new("false")).expect_err("false fails");
        assert!(failure.to_string().contains("`false` ended with"), "{failure}");
        let failure = execute(&mut process::Command::new("/nowhere/at-all")).expect_err("there is no such program");
        assert!(failure.to_string().contains("`at-all` cannot be started"), "{failure}");
    }

    #[test]
    fn an_answer_counts_only_with_zero() {
        assert_eq!(ask(process::Command::new("echo").arg("word")), Some("word".to_owned()));
        assert_eq!(ask(&mut process::Command::new("false")), None);
    }

    #[test]
    fn a_failed_step_names_itself_and_keeps_its_exit_code() {
        let mut steps = Steps::new();
        let failure = steps.step("tests", |_| Err(Failure::usage("no such flag".to_owned()))).expect_err("it failed");
        assert!(failure.to_string().starts_with("tests failed after "), "{failure}");
        assert_eq!(failure.exit_code(), 2);
        assert!(steps.done.is_empty());
    }

    #[test]
    fn durations_are_read_by_people() {
        assert_eq!(seconds(Duration::from_millis(1_240)), "1.2 s");
        assert_eq!(seconds(Duration::from_secs(125)), "2 min 5 s");
    }
}
