//! The terminal: data to stdout in the format asked for, everything said to people to stderr.
//!
//! Not what is in a table (see `column`). Colours, questions and progress bars are for terminals alone, so
//! a pipe gets the same bytes every time. Text that came from elsewhere is shown without its control
//! characters: an event's type must not be able to move somebody's cursor.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Write};
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Style};
use comfy_table::{Cell, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use super::column::{Column, Tone};
use super::exit::{Failure, WriteFailed};

/// How data is printed: in columns, as one JSON text, as one a line, as comma-separated values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
    Ndjson,
    Csv,
}

/// Prints and asks.
pub(crate) struct Console {
    format: Format,
    out: Box<dyn Write + Send>,
    error: Box<dyn Write + Send>,
    answers: Option<Box<dyn BufRead + Send>>,
    out_is_colourful: bool,
    error_is_colourful: bool,
    out_is_terminal: bool,
    error_is_terminal: bool,
}

impl Console {
    /// Makes the console of the process.
    pub(crate) fn of_process(format: Format, has_colours: bool) -> Self {
        let (out_is_terminal, error_is_terminal) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let can_ask = io::stdin().is_terminal() && error_is_terminal;
        Self {
            format,
            out: Box::new(BufWriter::new(io::stdout())),
            error: Box::new(io::stderr()),
            answers: can_ask.then(|| Box::new(BufReader::new(io::stdin())) as Box<dyn BufRead + Send>),
            out_is_colourful: has_colours && out_is_terminal,
            error_is_colourful: has_colours && error_is_terminal,
            out_is_terminal,
            error_is_terminal,
        }
    }

    /// Makes a console that is no terminal, for tests.
    #[cfg(test)]
    pub(crate) fn of_writers(format: Format, out: Box<dyn Write + Send>, error: Box<dyn Write + Send>) -> Self {
        Self {
            format,
            out,
            error,
            answers: None,
            out_is_colourful: false,
            error_is_colourful: false,
            out_is_terminal: false,
            error_is_terminal: false,
        }
    }

    /// Lets somebody answer questions, for tests.
    #[cfg(test)]
    pub(crate) fn answered_by(mut self, answers: &'static str) -> Self {
        self.answers = Some(Box::new(answers.as_bytes()));
        self
    }

    /// Returns how data is printed.
    pub(crate) const fn format(&self) -> Format {
        self.format
    }

    /// Returns whether stdout shows colours.
    pub(crate) const fn is_colourful(&self) -> bool {
        self.out_is_colourful
    }

    /// Prints one line of data as it is.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), WriteFailed> {
        writeln!(self.out, "{text}").map_err(WriteFailed)
    }

    /// Prints bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), WriteFailed> {
        self.out.write_all(bytes).map_err(WriteFailed)
    }

    /// Hands over what was printed so far.
    pub(crate) fn flush(&mut self) -> Result<(), WriteFailed> {
        self.out.flush().map_err(WriteFailed)
    }

    /// Tells people something; a message that cannot be shown stops nothing.
    pub(crate) fn note(&mut self, text: &str) {
        drop(writeln!(self.error, "{text}"));
    }

    /// Tells people something that they should look at.
    pub(crate) fn warn(&mut self, text: &str) {
        let word = paint("warning:", AnsiColor::Yellow.on_default().bold(), self.error_is_colourful);
        drop(writeln!(self.error, "{word} {}", plain(text)));
    }

    /// Tells people what went wrong.
    pub(crate) fn complain(&mut self, text: &str) {
        let word = paint("error:", AnsiColor::Red.on_default().bold(), self.error_is_colourful);
        drop(writeln!(self.error, "{word} {}", plain(text)));
    }

    /// Asks before something is destroyed.
    ///
    /// # Errors
    /// `Usage` without a terminal and without `--yes`; `Failed` where the answer is anything but yes.
    pub(crate) fn confirm(&mut self, what: &str, is_agreed: bool) -> Result<(), Failure> {
        if is_agreed {
            return Ok(());
        }
        let Some(answers) = self.answers.as_mut() else {
            return Err(Failure::usage(format!("{what}: there is no terminal to ask on; say --yes to do it")));
        };
        drop(write!(self.error, "{what}. Go on? [y/N] "));
        drop(self.error.flush());
        let mut answer = String::new();
        answers.read_line(&mut answer).map_err(|reason| Failure::Failed(reason.into()))?;
        if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
            Ok(())
        } else {
            Err(Failure::failed("nothing was done"))
        }
    }

    /// Prints a list of things.
    pub(crate) fn items(&mut self, columns: &[Column], items: &[Value]) -> Result<(), WriteFailed> {
        match self.format {
            Format::Table => self.table(columns, items),
            Format::Json => self.line(&pretty(&Value::Array(items.to_vec()))),
            Format::Ndjson => items.iter().try_for_each(|item| self.line(&item.to_string())),
            Format::Csv => {
                self.line(&csv_line(columns.iter().map(|column| Cow::Owned(column.name()))))?;
                items.iter().try_for_each(|item| self.csv_row(columns, item))
            }
        }
    }

    /// Prints one thing.
    pub(crate) fn item(&mut self, columns: &[Column], item: &Value) -> Result<(), WriteFailed> {
        match self.format {
            Format::Table => self.card(columns, item),
            Format::Json => self.line(&pretty(item)),
            Format::Ndjson => self.line(&item.to_string()),
            Format::Csv => self.items(columns, std::slice::from_ref(item)),
        }
    }

    /// Prints one row of comma-separated values.
    pub(crate) fn csv_row(&mut self, columns: &[Column], item: &Value) -> Result<(), WriteFailed> {
        self.line(&csv_line(columns.iter().map(|column| column.raw(item))))
    }

    /// Makes a bar that fills up on the terminal, and is nothing elsewhere.
    ///
    /// # Shape
    /// `length` steps; a template of indicatif.
    pub(crate) fn progress(&self, length: Option<u64>, template: &str) -> ProgressBar {
        let target = if self.error_is_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(length, target);
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("━╸─"));
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }

    fn table(&mut self, columns: &[Column], items: &[Value]) -> Result<(), WriteFailed> {
        if items.is_empty() {
            self.note("nothing");
            return Ok(());
        }
        let bold = Style::new().bold();
        let titles: Vec<_> = columns.iter().map(|column| (column.title.to_owned(), Some(bold))).collect();
        let mut rows = vec![titles];
        rows.extend(items.iter().map(|item| columns.iter().map(|column| shown(column, item)).collect()));
        self.grid(rows)
    }

    fn card(&mut self, columns: &[Column], item: &Value) -> Result<(), WriteFailed> {
        let bold = Style::new().bold();
        let row = |column: &Column| vec![(column.title.to_lowercase(), Some(bold)), shown(column, item)];
        self.grid(columns.iter().filter(|column| column.is_there(item)).map(row).collect())
    }

    /// Prints cells in columns, without lines around them: easy to read, and to cut with a tool.
    fn grid(&mut self, rows: Vec<Vec<(String, Option<Style>)>>) -> Result<(), WriteFailed> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        if self.out_is_terminal {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        } else {
            table.force_no_tty();
        }
        if self.out_is_colourful {
            table.enforce_styling();
        }
        for row in rows {
            table.add_row(row.into_iter().map(|(text, style)| self.cell(&text, style)));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        for line in table.lines() {
            self.line(line.trim_end())?;
        }
        Ok(())
    }

    fn cell(&self, text: &str, style: Option<Style>) -> Cell {
        let cell = Cell::new(text);
        let Some(style) = style.filter(|_| self.out_is_colourful) else { return cell };
        let bold = style.get_effects().contains(clap::builder::styling::Effects::BOLD);
        let cell = if bold { cell.add_attribute(comfy_table::Attribute::Bold) } else { cell };
        match style.get_fg_color() {
            Some(colour) if colour == AnsiColor::Red.into() => cell.fg(comfy_table::Color::Red),
            Some(colour) if colour == AnsiColor::Yellow.into() => cell.fg(comfy_table::Color::Yellow),
            Some(colour) if colour == AnsiColor::Green.into() => cell.fg(comfy_table::Color::Green),
            Some(_) | None => cell,
        }
    }
}

fn shown(column: &Column, item: &Value) -> (String, Option<Style>) {
    let text = column.shown(item);
    let style = match column.tone(item) {
        Tone::Good => Some(AnsiColor::Green.on_default()),
        Tone::Doubtful => Some(AnsiColor::Yellow.on_default()),
        Tone::Bad => Some(AnsiColor::Red.on_default()),
        Tone::None => None,
    };
    (plain(&text).into_owned(), style)
}

/// Writes a text in a colour, where there are colours.
pub(crate) fn paint(text: &str, style: Style, is_colourful: bool) -> String {
    if is_colourful { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// Returns a text without control characters, so that it cannot command a terminal.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    let is_harmful = |character: char| character.is_control() && character != '\n' && character != '\t';
    if text.contains(is_harmful) {
        Cow::Owned(text.chars().map(|one| if is_harmful(one) { char::REPLACEMENT_CHARACTER } else { one }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Writes a value as indented JSON.
pub(crate) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("a value with text keys is always JSON")
}

/// Writes a line of comma-separated values (RFC 4180, but for the line's end).
fn csv_line<'a>(cells: impl Iterator<Item = Cow<'a, str>>) -> String {
    let quoted = cells.map(|cell| {
        if cell.contains(['"', ',', '\n', '\r']) {
            Cow::Owned(format!("\"{}\"", cell.replace('"', "\"\"")))
        } else {
            cell
        }
    });
    quoted.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Format, csv_line, plain};
    use crate::cli::column::{text, time};
    use crate::cli::tests::Captured;

    const COLUMNS: &[crate::cli::column::Column] = &[text("NAME", "/name"), time("CREATED", "/createdAt")];

    fn check(format: Format, expected: &str) {
        let mut captured = Captured::new(format);
        let items = [
            json!({"name": "acme", "createdAt": "2026-03-02T09:14:07.512Z"}),
            json!({"name": "a,\"b\"\u{1b}[2J", "createdAt": null}),
        ];
        captured.console.items(COLUMNS, &items).unwrap();
        assert_eq!(captured.out(), expected, "{format:?}");
    }

    #[test]
    fn a_list_is_printed_in_every_format() {
        check(Format::Table, "NAME       CREATED\nacme       2026-03-02 09:14:07.512\na,\"b\"\u{fffd}[2J  -\n");
        check(Format::Csv, "name,createdAt\nacme,2026-03-02T09:14:07.512Z\n\"a,\"\"b\"\"\u{1b}[2J\",\n");
        check(
            Format::Ndjson,
            "{\"createdAt\":\"2026-03-02T09:14:07.512Z\",\"name\":\"acme\"}\n{\"createdAt\":null,\"name\":\"a,\\\"b\\\"\\u001b[2J\"}\n",
        );
    }

    #[test]
    fn json_is_one_text() {
        let mut captured = Captured::new(Format::Json);
        captured.console.items(COLUMNS, &[json!({"name": "acme"})]).unwrap();
        assert_eq!(captured.out(), "[\n  {\n    \"name\": \"acme\"\n  }\n]\n");
    }

    #[test]
    fn an_empty_list_is_empty_data_and_a_word_for_people() {
        let mut captured = Captured::new(Format::Table);
        captured.console.items(COLUMNS, &[]).unwrap();
        assert_eq!((captured.out().as_str(), captured.error().as_str()), ("", "nothing\n"));
        let mut captured = Captured::new(Format::Json);
        captured.console.items(COLUMNS, &[]).unwrap();
        assert_eq!((captured.out().as_str(), captured.error().as_str()), ("[]\n", ""));
    }

    #[test]
    fn what_destroys_needs_a_yes() {
        let answered = |answer| Captured::new(Format::Table).answered_by(answer).console.confirm("delete acme", false);
        assert!(answered("y\n").is_ok());
        assert!(answered("Yes\n").is_ok());
        assert!(answered("\n").is_err());
        assert!(answered("no\n").is_err());
        assert!(answered("").is_err(), "the end of the input is no yes");
        let mut nobody = Captured::new(Format::Table);
        assert_eq!(nobody.console.confirm("delete acme", false).unwrap_err().exit().code(), 2);
        assert!(nobody.console.confirm("delete acme", true).is_ok());
    }

    #[test]
    fn control_characters_do_not_reach_a_terminal() {
        assert_eq!(plain("call.ended"), "call.ended");
        assert_eq!(plain("a\u{1b}[31mb\u{7f}\r\u{9b}"), "a\u{fffd}[31mb\u{fffd}\u{fffd}\u{fffd}");
        assert_eq!(csv_line(["a".into(), "b\nc".into()].into_iter()), "a,\"b\nc\"");
    }
}
