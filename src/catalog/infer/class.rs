//! Whose data a field is, as far as its name and the forms of its values tell.
//!
//! Not a judgement: a suggestion for the person who reads the draft. Invariant: where nothing tells, the class is
//! one that is not recommended, so that a field nobody looked at goes nowhere.

use std::collections::BTreeSet;

use super::blank::Form;
use super::naming::words;
use super::seen::Seen;
use crate::catalog::Class;

/// Whom a path is about, by its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Worker,
    Customer,
}

/// What a name says.
#[derive(Debug)]
pub(super) struct Naming {
    subject: Option<Subject>,
    /// The words of the last name.
    last: Vec<String>,
}

/// What kind of values the class is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Values<'a> {
    /// Words of an enum.
    Enum,
    /// Texts.
    Texts(&'a Seen),
    /// Instants.
    Instants,
    /// Whole or other numbers, or booleans.
    Plain(&'a Seen),
    /// Objects, nothing, or a mixture with texts.
    Anything,
}

impl Naming {
    /// Reads a path.
    pub(super) fn of(path: &str) -> Self {
        let subject = words(path).iter().rev().find_map(|word| {
            let is_in = |list| contains(list, word);
            if is_in(WORKERS) || is_in(CONDUCT) {
                Some(Subject::Worker)
            } else if is_in(CUSTOMERS) {
                Some(Subject::Customer)
            } else {
                None
            }
        });
        Self { subject, last: words(path.rsplit('.').next().unwrap_or_default()) }
    }

    /// Returns whether values of such a name are somebody's: they are no enum, however they are written.
    pub(super) fn is_personal(&self) -> bool {
        let lists_of_any = [IDENTITIES, CONTENTS, LINKS];
        lists_of_any.iter().any(|list| self.has(list)) || self.ends_in(WORKERS) || self.ends_in(CUSTOMERS)
    }

    /// Returns the class of values of this name.
    pub(super) fn class(&self, values: Values<'_>) -> Class {
        match values {
            Values::Anything => Class::Content,
            Values::Texts(seen) => self.of_texts(&seen.forms),
            Values::Enum if self.subject.is_none() && self.ends_in(STRUCTURES) => Class::None,
            Values::Instants if self.subject.is_none() && self.ends_in(TIMES) && !self.is_personal() => Class::None,
            Values::Plain(seen) if self.is_personal() || has_many_digits(seen) => self.identity(),
            Values::Plain(_) if self.subject.is_none() && self.ends_in(MEASURES) => Class::None,
            Values::Instants if self.is_personal() => self.identity(),
            // An enum of a person's, a boolean or a measure tells of somebody's conduct.
            Values::Enum | Values::Instants | Values::Plain(_) => match self.subject {
                Some(Subject::Customer) => Class::Customer,
                Some(Subject::Worker) | None => Class::Worker,
            },
        }
    }

    fn of_texts(&self, forms: &BTreeSet<Form>) -> Class {
        let is_all = |allowed: &[Form]| !forms.is_empty() && forms.iter().all(|form| allowed.contains(form));
        if self.has(CONTENTS) {
            Class::Content
        } else if self.has(LINKS) {
            Class::Link
        } else if self.has(IDENTITIES) {
            self.identity()
        } else if forms.contains(&Form::Free) {
            Class::Content
        } else if forms.contains(&Form::Url) {
            Class::Link
        } else if forms.contains(&Form::Email) || forms.contains(&Form::Phone) {
            self.identity()
        } else if forms.contains(&Form::Ip) {
            match self.subject {
                Some(Subject::Customer) => Class::Customer,
                Some(Subject::Worker) | None => Class::Worker,
            }
        } else if is_all(&[Form::Id]) || (self.ends_in(REFERENCES) && is_all(&[Form::Id, Form::Word])) {
            match self.subject {
                Some(Subject::Worker) => Class::WorkerId,
                Some(Subject::Customer) | None => Class::CustomerId,
            }
        } else if self.ends_in(IDS) && !forms.is_empty() {
            // An id that is a word may be a login.
            self.identity()
        } else {
            Class::Content
        }
    }

    const fn identity(&self) -> Class {
        match self.subject {
            Some(Subject::Worker) => Class::Worker,
            Some(Subject::Customer) | None => Class::Customer,
        }
    }

    fn has(&self, list: &str) -> bool {
        self.last.iter().any(|word| contains(list, word))
    }

    fn ends_in(&self, list: &str) -> bool {
        self.last.last().is_some_and(|word| contains(list, word))
    }
}

/// Returns whether a list of words, as they stand below, has this one.
fn contains(list: &str, word: &str) -> bool {
    list.split(' ').any(|listed| listed == word)
}

/// A number that long may be a telephone number, an account or a date of birth.
fn has_many_digits(seen: &Seen) -> bool {
    seen.bounds.is_some_and(|(least, greatest)| greatest >= 1e10 || least <= -1e10)
}

const WORKERS: &str = "\
    actor admin advisor agent agents assignee author collaborator employee login manager operator owner reviewer \
    supervisor user users worker";

/// Words of names whose values tell of a worker, and do not name one.
const CONDUCT: &str = "activity evaluation session status team";

const CUSTOMERS: &str = "\
    bcc callee caller card cc client contact contacts customer customers lead participant patient person \
    prospect recipient recipients sender subscriber target visitor";

/// Words of names whose values say who somebody is, or what only few may know of them; English and French.
const IDENTITIES: &str = "\
    address adresse age amount balance birth birthday born city civility company country courriel dob email \
    emails extension family fax first gender given handle iban income ip lastname firstname lat latitude \
    lng location login longitude mail mails mobile montant msisdn naissance name names nationality nickname nom \
    number numbers numero password patronyme pays phone phones pin postal postcode prenom pseudo salary secret \
    sexe sip ssn street surname tel telephone title token username ville zip";

const CONTENTS: &str = "\
    answer answers body caption comment comments commentaire content contents contenu description label libelle \
    message messages note notes query question reply sujet subject summary text texte transcript transcription \
    verbatim";

const LINKS: &str = "href link links uri url urls";
const IDS: &str = "guid id ids key uuid";
const REFERENCES: &str = "ref refs";

/// Names of enums that tell of the contact and not of a person.
const STRUCTURES: &str = "\
    application audio channel direction flow format kind language level media method mode operation origin \
    platform pool priority protocol routing source trigger type version";

const TIMES: &str = "at end from since start timestamp until";
const MEASURES: &str = "bytes index length page position sequence size version";

#[cfg(test)]
mod tests {
    use super::{Naming, Values};
    use crate::catalog::Class;
    use crate::catalog::infer::seen::Seen;
    use crate::model::json::Cursor;

    fn seen(values: &[&str]) -> Seen {
        let mut seen = Seen::default();
        for value in values {
            let text = value.as_bytes();
            let value = Cursor::new(text).value().unwrap();
            seen.scalar(&value, text, false, 1);
        }
        seen
    }

    fn texts(path: &str, text: &str, expected: Class) {
        let seen = seen(&[&format!("{text:?}")]);
        assert_eq!(Naming::of(path).class(Values::Texts(&seen)), expected, "{path} {text}");
    }

    #[test]
    fn texts_are_judged_by_their_name_and_form() {
        texts("agent.firstName", "Claire", Class::Worker);
        texts("customer.surname", "Petit", Class::Customer);
        texts("nickname", "jp", Class::Customer);
        texts("customer.reachedBy", "j.petit@example.com", Class::Customer);
        texts("agent.reachedBy", "+33612345678", Class::Worker);
        texts("reachedBy", "+33612345678", Class::Customer);
        texts("customer.seenFrom", "203.0.113.9", Class::Customer);
        texts("origins", "203.0.113.9", Class::Worker);
        texts("recording.place", "https://acme.example/r/1", Class::Link);
        texts("recording.url", "r_1", Class::Link);
        texts("remark", "Rappeler demain", Class::Content);
        texts("remark", "demain", Class::Content);
        texts("remark", "", Class::Content);
        texts("message.text", "i_1", Class::Content);
    }

    #[test]
    fn ids_are_pseudonyms_unless_they_are_words() {
        texts("case.id", "k_1182", Class::CustomerId);
        texts("agent.badgeId", "b_12", Class::WorkerId);
        texts("agent.badgeId", "claire", Class::Worker);
        texts("queue.ref", "lunch", Class::CustomerId);
        texts("queue.ref", "lunch time", Class::Content);
        texts("trace", "550e8400-e29b-41d4-a716-446655440000", Class::CustomerId);
    }

    #[test]
    fn a_mixture_is_judged_by_its_worst() {
        let mixed = seen(&["\"k_1182\"", "\"call me\""]);
        assert_eq!(Naming::of("case.id").class(Values::Texts(&mixed)), Class::Content);
        let mixed = seen(&["\"k_1182\"", "\"+33612345678\""]);
        assert_eq!(Naming::of("case.id").class(Values::Texts(&mixed)), Class::Customer);
        assert_eq!(Naming::of("case.id").class(Values::Anything), Class::Content);
    }

    #[test]
    fn what_is_no_text_is_somebodys_unless_its_name_says_otherwise() {
        let check = |path: &str, values: Values<'_>, expected: Class| {
            assert_eq!(Naming::of(path).class(values), expected, "{path} {values:?}");
        };
        let (small, large) = (seen(&["12"]), seen(&["33612345678"]));
        check("transfer.kind", Values::Enum, Class::None);
        check("agent.kind", Values::Enum, Class::Worker);
        check("diagnosis", Values::Enum, Class::Worker);
        check("customer.mood", Values::Enum, Class::Customer);
        check("shop.openedAt", Values::Instants, Class::None);
        check("agent.hiredAt", Values::Instants, Class::Worker);
        check("birthAt", Values::Instants, Class::Customer);
        check("wrapUpMs", Values::Plain(&small), Class::Worker);
        check("file.bytes", Values::Plain(&small), Class::None);
        check("file.bytes", Values::Plain(&large), Class::Customer);
        check("salary", Values::Plain(&small), Class::Customer);
        check("customer.isVip", Values::Plain(&small), Class::Customer);
    }
}
