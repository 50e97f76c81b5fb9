//! The table of commands, and the way from arguments to an exit code.
//!
//! Not what a command does: that is in the file named after it. A new command is one line in the enum and
//! one in [`Command::run`].

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use super::console::{Console, Format};
use super::context::Context;
use super::exit::{Exit, Failure};
use super::problem;
use super::{
    account, capture, catalog, completions, config, dead_letter, delivery, demo, endpoint, event, listen, log, openapi,
    receive, replay, rights, serve, signature, simulate, status, token,
};

/// A webhook sender with a durable log: nothing accepted is lost, and everything can be sent again.
#[derive(Debug, Parser)]
#[command(name = "hooklog", version, max_term_width = 110, subcommand_required = true, styles = STYLES)]
#[command(after_help = "Examples:
  hooklog demo                                see all of it at work, in a minute
  hooklog receive --secret whsec_…            wait for deliveries and verify them
  hooklog listen acme/crm --forward-to http://localhost:3000/hooks
                                              have an endpoint's events on your own machine
  hooklog simulate --accounts acme --rate 50  send the traffic of a call centre
  hooklog status                              is everything well?

Things are addressed acme (an account), acme/crm (an endpoint), acme/crm/41 (a delivery).
Commands find a server on this machine; from elsewhere set HOOKLOG_URL and HOOKLOG_TOKEN.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the answer is no.")]
pub(crate) struct Arguments {
    /// How to print data: a table for people, the others for programs
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    output: Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Arguments),
    Demo(demo::Arguments),
    Status(status::Arguments),
    Receive(receive::Arguments),
    Listen(Box<listen::Arguments>),
    Simulate(simulate::Arguments),
    Account(account::Arguments),
    Endpoint(Box<endpoint::Arguments>),
    Token(token::Arguments),
    Rights(rights::Arguments),
    Event(event::Arguments),
    Delivery(delivery::Arguments),
    DeadLetter(dead_letter::Arguments),
    Replay(replay::Arguments),
    Capture(capture::Arguments),
    Catalog(catalog::Arguments),
    Log(log::Arguments),
    Config(config::Arguments),
    Signature(Box<signature::Arguments>),
    Openapi(openapi::Arguments),
    Completions(completions::Arguments),
}

impl Command {
    async fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        match self {
            Self::Serve(arguments) => arguments.run(context).await,
            Self::Demo(arguments) => arguments.run(context).await,
            Self::Status(arguments) => arguments.run(context).await,
            Self::Receive(arguments) => arguments.run(context).await,
            Self::Listen(arguments) => arguments.run(context).await,
            Self::Simulate(arguments) => arguments.run(context).await,
            Self::Account(arguments) => arguments.run(context).await,
            Self::Endpoint(arguments) => arguments.run(context).await,
            Self::Token(arguments) => arguments.run(context).await,
            Self::Rights(arguments) => arguments.run(context).await,
            Self::Event(arguments) => arguments.run(context).await,
            Self::Delivery(arguments) => arguments.run(context).await,
            Self::DeadLetter(arguments) => arguments.run(context).await,
            Self::Replay(arguments) => arguments.run(context).await,
            Self::Capture(arguments) => arguments.run(context).await,
            Self::Catalog(arguments) => arguments.run(context).await,
            Self::Log(arguments) => arguments.run(context).await,
            Self::Config(arguments) => arguments.run(context),
            Self::Signature(arguments) => arguments.run(context).await,
            Self::Openapi(arguments) => arguments.run(context),
            Self::Completions(arguments) => arguments.run(context),
        }
    }
}

/// Runs a command of the process: on its terminal, with a runtime of its own.
pub(crate) fn run(arguments: impl Iterator<Item = OsString>, environment: BTreeMap<String, String>) -> Exit {
    let has_colours = !is_set(&environment, "NO_COLOR");
    let arguments = match parse(arguments, has_colours) {
        Ok(arguments) => arguments,
        Err(refusal) => {
            let is_help = refusal.exit_code() == 0;
            // Where even this cannot be printed there is nobody left to tell.
            drop(refusal.print());
            return if is_help { Exit::Done } else { Exit::Usage };
        }
    };
    let console = Console::of_process(arguments.output, has_colours);
    let mut context = Context::new(console, environment);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(reason) => {
            let failure = Failure::Failed(anyhow::Error::from(reason).context("cannot start worker threads"));
            return problem::tell(&mut context.console, &failure);
        }
    };
    let exit = runtime.block_on(run_in(arguments, &mut context));
    // A resolver or a terminal that still blocks a thread must not hold up the end.
    runtime.shutdown_background();
    exit
}

/// Runs a parsed command, and tells of its failure.
pub(crate) async fn run_in(arguments: Arguments, context: &mut Context) -> Exit {
    let ended = Box::pin(arguments.command.run(context)).await;
    let flushed = context.console.flush();
    match ended.and_then(|exit| flushed.map(|()| exit).map_err(Failure::from)) {
        Ok(exit) => exit,
        Err(failure) => problem::tell(&mut context.console, &failure),
    }
}

/// Parses arguments; help and version are refusals with exit code 0.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    has_colours: bool,
) -> Result<Arguments, clap::Error> {
    let choice = if has_colours { clap::ColorChoice::Auto } else { clap::ColorChoice::Never };
    let mut command = Arguments::command().color(choice);
    let mut matches = command.try_get_matches_from_mut(arguments)?;
    Arguments::from_arg_matches_mut(&mut matches).map_err(|refusal| refusal.format(&mut command))
}

/// Gives the whole tree of commands, for completions.
pub(crate) fn tree() -> clap::Command {
    Arguments::command()
}

/// Returns whether a variable such as `NO_COLOR` is there and says something.
fn is_set(environment: &BTreeMap<String, String>, name: &str) -> bool {
    environment.get(name).is_some_and(|value| !value.is_empty())
}

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Yellow.on_default().bold())
    .usage(AnsiColor::Yellow.on_default().bold())
    .literal(AnsiColor::Green.on_default())
    .placeholder(AnsiColor::Cyan.on_default());

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::{parse, tree};

    fn refusal(line: &str) -> clap::Error {
        parse(line.split(' ').map(OsString::from), false).expect_err(line)
    }

    /// Returns a help text as it is a hundred columns wide, whatever the terminal is.
    fn help(line: &str) -> String {
        tree().term_width(100).try_get_matches_from(line.split(' ')).expect_err(line).to_string()
    }

    #[test]
    fn the_tree_of_commands_is_sound() {
        tree().debug_assert();
    }

    #[test]
    fn every_command_and_flag_has_help_and_every_command_an_example() {
        fn walk(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            assert!(command.get_about().is_some(), "{path} says nothing of itself");
            assert!(command.get_after_help().is_some(), "{path} has no example");
            for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                assert!(argument.get_help().is_some(), "{path} {} has no help", argument.get_id());
            }
            for child in command.get_subcommands().filter(|child| child.get_name() != "help") {
                walk(child, &path);
            }
        }
        walk(&tree(), "");
    }

    #[test]
    fn help_is_done_and_nonsense_is_wrong_usage() {
        assert_eq!(refusal("hooklog --help").exit_code(), 0);
        assert_eq!(refusal("hooklog endpoint test --help").exit_code(), 0);
        assert_eq!(refusal("hooklog --version").exit_code(), 0);
        assert_eq!(refusal("hooklog").exit_code(), 2);
        assert_eq!(refusal("hooklog evnt list acme").exit_code(), 2);
        assert_eq!(refusal("hooklog event list a/b/c").exit_code(), 2);
        assert!(refusal("hooklog evnt").to_string().contains("event"), "the nearest command is named");
    }

    #[test]
    fn help_reads_as_agreed() {
        insta::assert_snapshot!("help", help("hooklog --help"));
        insta::assert_snapshot!("help_receive", help("hooklog receive --help"));
        insta::assert_snapshot!("help_simulate", help("hooklog simulate --help"));
        insta::assert_snapshot!("help_endpoint_set", help("hooklog endpoint set --help"));
    }
}
