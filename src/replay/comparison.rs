//! What would change: two answers to the same event compared, and added up over many.
//!
//! Pure. No value of an event is kept in it, and of fields only the names that the catalogue knows: the name of an
//! unknown member may be as telling as its value. So a result may be shown to whoever may write the rights.

use std::collections::{BTreeMap, BTreeSet};

use crate::accounts::Treatment;
use crate::dispatch::Answer;
use crate::model::{Event, EventId, EventType, Offset};

/// What candidate rights would change, over all events compared so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Events that were compared.
    pub compared: u64,
    /// Sent by both, and the same.
    pub unchanged: u64,
    /// Sent by both, and not the same.
    pub changed: u64,
    /// Sent by the candidate alone.
    pub appearing: u64,
    /// Sent by the present rights alone.
    pub disappearing: u64,
    /// Sent by neither.
    pub withheld: u64,
    /// Events to which one of both could not be applied.
    pub faults: u64,
    /// Events in which a field that the catalogue does not know would be treated otherwise, or what has no name.
    pub unknown_fields: u64,
    /// The same by type.
    pub types: BTreeMap<EventType, TypeCounts>,
    /// In how many events a field would be treated otherwise: by its path, and how it is and would be treated.
    pub fields: BTreeMap<FieldChange, u64>,
    /// The first events of each type that would change.
    pub samples: Vec<Sample>,
}

/// What candidate rights would change in the events of a type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TypeCounts {
    /// How many there were.
    pub events: u64,
    /// How many are sent by the present rights.
    pub sent_before: u64,
    /// How many would be sent.
    pub sent_after: u64,
    /// How many are and would be sent, and would not be the same.
    pub changed: u64,
}

/// A field that would be treated otherwise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldChange {
    /// Its path.
    pub path: String,
    /// How it is treated.
    pub before: Treatment,
    /// How it would be.
    pub after: Treatment,
}

/// An event that would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Its place in the account's log.
    pub offset: Offset,
    /// Its id.
    pub id: EventId,
    /// Its type.
    pub event_type: EventType,
    /// Whether it is sent.
    pub sent_before: bool,
    /// Whether it would be.
    pub sent_after: bool,
    /// Its fields that would be treated otherwise.
    pub fields: Vec<FieldChange>,
}

/// An event and both answers to it.
#[derive(Debug, Clone, Copy)]
pub struct Compared<'a> {
    /// Its place in the account's log.
    pub offset: Offset,
    /// Its type.
    pub event_type: &'a EventType,
    /// The event.
    pub event: &'a Event,
    /// What the present rights say.
    pub before: &'a Answer,
    /// What the candidate says.
    pub after: &'a Answer,
}

impl Comparison {
    /// Adds an event.
    pub fn add(&mut self, compared: Compared<'_>, is_known: impl Fn(&str) -> bool) {
        let Compared { event_type, event, before, after, .. } = compared;
        self.compared += 1;
        let counts = self.types.entry(event_type.clone()).or_default();
        counts.events += 1;
        let mut fields = Vec::new();
        match (before, after) {
            (Answer::Fault(_), _) | (_, Answer::Fault(_)) => {
                self.faults += 1;
                return;
            }
            (Answer::Left(before), Answer::Left(after)) => {
                counts.sent_before += 1;
                counts.sent_after += 1;
                if before == after {
                    self.unchanged += 1;
                    return;
                }
                self.changed += 1;
                counts.changed += 1;
                let (known, unknown): (Vec<_>, Vec<_>) = differences(&before.touched(event), &after.touched(event))
                    .into_iter()
                    .partition(|change| is_known(&change.path));
                // What would change and has no name is among what is not known.
                self.unknown_fields += u64::from(!unknown.is_empty() || known.is_empty());
                known.iter().for_each(|change| *self.fields.entry(change.clone()).or_default() += 1);
                fields = known;
            }
            (Answer::Left(_), Answer::Withheld | Answer::Unknown) => {
                counts.sent_before += 1;
                self.disappearing += 1;
            }
            (Answer::Withheld | Answer::Unknown, Answer::Left(_)) => {
                counts.sent_after += 1;
                self.appearing += 1;
            }
            (Answer::Withheld | Answer::Unknown, Answer::Withheld | Answer::Unknown) => {
                self.withheld += 1;
                return;
            }
        }
        self.sample(compared, fields);
    }

    fn sample(&mut self, compared: Compared<'_>, fields: Vec<FieldChange>) {
        let of_type = self.samples.iter().filter(|sample| sample.event_type == *compared.event_type).count();
        if of_type < SAMPLES_PER_TYPE_MAX && self.samples.len() < SAMPLES_MAX {
            self.samples.push(Sample {
                offset: compared.offset,
                id: compared.event.id.clone(),
                event_type: compared.event_type.clone(),
                sent_before: matches!(compared.before, Answer::Left(_)),
                sent_after: matches!(compared.after, Answer::Left(_)),
                fields,
            });
        }
    }
}

/// Returns the fields that two rights treat differently, by their paths.
fn differences(before: &[crate::dispatch::Touched], after: &[crate::dispatch::Touched]) -> Vec<FieldChange> {
    let treatment = |touched: &[crate::dispatch::Touched], path: &str| {
        touched.iter().find(|one| one.path == path).map_or(Treatment::Keep, |one| one.treatment)
    };
    let paths: BTreeSet<&str> = before.iter().chain(after).map(|one| one.path.as_str()).collect();
    paths
        .into_iter()
        .map(|path| FieldChange {
            path: path.to_owned(),
            before: treatment(before, path),
            after: treatment(after, path),
        })
        .filter(|change| change.before != change.after)
        .collect()
}

const SAMPLES_PER_TYPE_MAX: usize = 3;
const SAMPLES_MAX: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::{Fault, Left};

    fn left(data: &str) -> Answer {
        Answer::Left(Left { actor: None, data: data.into(), key: None })
    }

    fn compare(pairs: &[(&str, &Answer, &Answer)]) -> Comparison {
        let mut comparison = Comparison::default();
        for (offset, (event_type, before, after)) in (1..).zip(pairs) {
            let event = Event::example(None, r#"{"a":{"b":"secret"},"canary":"secret","n":1}"#);
            let event_type = EventType::parse(event_type).unwrap();
            let compared = Compared { offset: Offset(offset), event_type: &event_type, event: &event, before, after };
            comparison.add(compared, |path| path != "canary");
        }
        comparison
    }

    #[test]
    fn every_event_is_counted_once() {
        let (whole, less) =
            (left(r#"{"a":{"b":"secret"},"canary":"secret","n":1}"#), left(r#"{"a":{"b":"***"},"n":1}"#));
        let fault = Answer::Fault(Fault::Host { what: "no".to_owned() });
        let found = compare(&[
            ("t.a", &whole, &whole),
            ("t.a", &whole, &less),
            ("t.b", &less, &whole),
            ("t.b", &Answer::Withheld, &less),
            ("t.c", &less, &Answer::Unknown),
            ("t.c", &Answer::Unknown, &Answer::Withheld),
            ("t.c", &fault, &less),
        ]);
        assert_eq!((found.compared, found.unchanged, found.changed), (7, 1, 2));
        assert_eq!((found.appearing, found.disappearing, found.withheld, found.faults), (1, 1, 1, 1));
        let sum =
            found.unchanged + found.changed + found.appearing + found.disappearing + found.withheld + found.faults;
        assert_eq!(sum, found.compared);
        let (events, sent_before, sent_after, changed) = (2, 1, 2, 1);
        assert_eq!(
            found.types[&EventType::parse("t.b").unwrap()],
            TypeCounts { events, sent_before, sent_after, changed }
        );
    }

    #[test]
    fn a_field_is_told_by_how_it_is_and_would_be_treated_and_an_unknown_one_only_counted() {
        let (whole, less) =
            (left(r#"{"a":{"b":"secret"},"canary":"secret","n":1}"#), left(r#"{"a":{"b":"***"},"n":1}"#));
        let none = left(r#"{"n":1}"#);
        let found = compare(&[("t.a", &whole, &less), ("t.a", &less, &none), ("t.a", &less, &none)]);
        let change = |before, after| FieldChange { path: "a.b".to_owned(), before, after };
        let expected = [(change(Treatment::Keep, Treatment::Mask), 1), (change(Treatment::Mask, Treatment::Remove), 2)];
        assert_eq!(found.fields, BTreeMap::from(expected));
        assert_eq!(found.unknown_fields, 1);
        assert!(!format!("{found:?}").contains("canary") && !format!("{found:?}").contains("secret"));
    }

    #[test]
    fn the_first_three_of_each_type_are_samples() {
        let (whole, none) = (left(r#"{"a":{"b":"secret"},"canary":"secret","n":1}"#), left("{}"));
        let many: Vec<_> = (0..5).map(|_| ("t.a", &whole, &none)).chain([("t.b", &whole, &none)]).collect();
        let offsets: Vec<u64> = compare(&many).samples.iter().map(|sample| sample.offset.0).collect();
        assert_eq!(offsets, [1, 2, 3, 6]);
    }
}
