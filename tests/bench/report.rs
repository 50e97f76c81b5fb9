//! Figures, and how they are printed.
//!
//! Not a judge beyond arithmetic: the median of the rounds, their spread, the ratio to the ceiling's median, and
//! whether that meets the goal.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde_json::{Value, json};

/// What a figure has to reach.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// At least this part of the ceiling.
    ShareOfCeiling(f64),
    /// At most this value.
    AtMost(f64),
    /// It is printed beside another.
    Beside,
}

/// A figure with all its rounds.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    /// One for each round; never empty.
    pub(crate) values: Vec<f64>,
    /// One for each round, or none at all.
    pub(crate) ceilings: Vec<f64>,
    pub(crate) goal: Goal,
}

impl Figure {
    fn value(&self) -> f64 {
        median(&self.values).unwrap_or(f64::NAN)
    }

    fn ceiling(&self) -> Option<f64> {
        median(&self.ceilings)
    }

    fn ratio(&self) -> Option<f64> {
        self.ceiling().map(|ceiling| self.value() / ceiling)
    }

    fn is_met(&self) -> Option<bool> {
        match self.goal {
            Goal::ShareOfCeiling(share) => Some(self.ratio().is_some_and(|ratio| ratio >= share)),
            Goal::AtMost(most) => Some(self.value() <= most),
            Goal::Beside => None,
        }
    }

    /// How far the rounds lie apart, as a part of their median.
    fn spread(&self) -> f64 {
        let least = self.values.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (greatest - least) / self.value()
    }
}

/// Returns the middle one of some numbers, or of the two middle ones their mean.
pub(crate) fn median(numbers: &[f64]) -> Option<f64> {
    let mut numbers = numbers.to_vec();
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    let upper = *numbers.get(middle)?;
    if numbers.len() % 2 == 1 { Some(upper) } else { Some(numbers.get(middle.checked_sub(1)?)?.midpoint(upper)) }
}

/// Writes figures for programs.
pub(crate) fn json(figures: &[Figure]) -> String {
    let objects: Vec<Value> = figures
        .iter()
        .map(|figure| {
            let goal = match figure.goal {
                Goal::ShareOfCeiling(goal) | Goal::AtMost(goal) => Some(goal),
                Goal::Beside => None,
            };
            json!({
                "name": figure.name, "value": figure.value(), "unit": figure.unit, "ceiling": figure.ceiling(),
                "ratio": figure.ratio(), "goal": goal, "met": figure.is_met(), "spread": figure.spread(),
            })
        })
        .collect();
    format!("{:#}", Value::Array(objects))
}

/// Writes figures for people.
pub(crate) fn table(figures: &[Figure]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["ROW", "VALUE", "UNIT", "CEILING", "RATIO", "GOAL", "", "SPREAD"]);
    for figure in figures {
        let (goal, verdict) = match figure.goal {
            Goal::ShareOfCeiling(share) => (format!("≥ {share} of it"), verdict(figure)),
            Goal::AtMost(most) => (format!("≤ {most}"), verdict(figure)),
            Goal::Beside => (String::new(), ""),
        };
        table.add_row([
            figure.name.to_owned(),
            number(figure.value()),
            figure.unit.to_owned(),
            figure.ceiling().map(number).unwrap_or_default(),
            figure.ratio().map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
            goal,
            verdict.to_owned(),
            format!("{:.0} %", figure.spread() * 100.0),
        ]);
    }
    for index in [1, 3, 4, 7] {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

fn verdict(figure: &Figure) -> &'static str {
    if figure.is_met() == Some(true) { "met" } else { "missed" }
}

fn number(value: f64) -> String {
    if value >= 1_000.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}
