//! The board of the demo: the live table on a terminal, a line at the end of each scene elsewhere.
//!
//! Not the figures: `books` has them.

use indicatif::ProgressBar;

use super::books::Books;
use crate::cli::column::show_count;
use crate::cli::context::Context;

/// Where the audience looks.
pub(super) struct Board {
    bar: ProgressBar,
    scenes: u32,
}

impl Board {
    pub(super) fn new(context: &Context) -> Self {
        Self { bar: context.console.progress(None, "{msg}"), scenes: 0 }
    }

    /// Begins a scene: its title, and what is to be seen.
    pub(super) fn scene(&mut self, context: &mut Context, title: &str, what: &str) {
        self.scenes += 1;
        let number = self.scenes;
        self.bar.suspend(|| context.console.note(&format!("\n{number}  {title}\n   {what}")));
    }

    /// Says what has happened in a scene.
    pub(super) fn say(&self, context: &mut Context, what: &str) {
        self.bar.suspend(|| context.console.note(&format!("   {what}")));
    }

    /// Draws the figures of this moment.
    pub(super) fn show(&self, books: &Books) {
        if !self.bar.is_hidden() {
            self.bar.set_message(table(books));
        }
    }

    /// Ends a scene: where nothing is drawn live, its last figures are printed.
    pub(super) fn end_scene(&self, context: &mut Context, books: &Books) {
        if self.bar.is_hidden() {
            context.console.note(&format!("   {}", line(books)));
        }
    }

    /// Takes the live table away.
    pub(super) fn close(&self) {
        self.bar.finish_and_clear();
    }
}

fn table(books: &Books) -> String {
    let width = books.lines.iter().map(|line| line.account.len()).max().unwrap_or(0).max(8);
    let [accepted, delivered, withheld, waiting] = ["ACCEPTED", "DELIVERED", "WITHHELD", "WAITING"];
    let mut text = format!("\n   {:width$}  {accepted:>9}  {delivered:>9}  {withheld:>9}  {waiting:>9}  STATE\n", "");
    for line in &books.lines {
        let [accepted, delivered] = [line.accepted, line.delivered].map(show_count);
        let [withheld, waiting] = [line.others, line.waiting].map(show_count);
        let state = line.state.replace('_', " ");
        let account = &line.account;
        text += &format!("   {account:width$}  {accepted:>9}  {delivered:>9}  {withheld:>9}  {waiting:>9}  {state}\n");
    }
    text + &format!("   {:width$}  {}", "receiver", received(books))
}

fn line(books: &Books) -> String {
    let figure = |figure: fn(&super::books::Line) -> u64| show_count(books.sum(figure));
    format!(
        "accepted {}, delivered {}, withheld {}, waiting {}; receiver: {}",
        figure(|line| line.accepted),
        figure(|line| line.delivered),
        figure(|line| line.others),
        figure(|line| line.waiting),
        received(books)
    )
}

fn received(books: &Books) -> String {
    let tally = &books.received;
    format!(
        "{} verified, {} not verified, {} came twice, {} replayed",
        show_count(tally.verified),
        show_count(tally.unverified),
        show_count(tally.duplicates),
        show_count(tally.replayed)
    )
}
