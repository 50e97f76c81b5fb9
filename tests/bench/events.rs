//! Events of 700 bytes with the ids, types, times and keys of the simulator.
//!
//! Not the simulator's own bodies, whose sizes vary: every event here has exactly [`EVENT_BYTES`], so that
//! rates and bytes can be compared. The same numbers give the same events.

use std::io::Write;

use bytes::Bytes;
use hooklog::cli::simulate::CallCentre;
use hooklog::model::AccountName;

/// Bytes of one event as it is posted.
pub(crate) const EVENT_BYTES: usize = 700;

/// The account of all events.
pub(crate) const ACCOUNT: &str = "acme";

/// An endless source of events: a key per call, about eight events a call, calls overlapping.
pub(crate) struct Events {
    centre: CallCentre,
    simulated: Vec<u8>,
    number: usize,
}

impl Events {
    pub(crate) fn new() -> Self {
        let account = AccountName::parse(ACCOUNT).expect("the account's name has the form of one");
        Self { centre: CallCentre::new(1, &[account], AGENTS), simulated: Vec::new(), number: 0 }
    }

    /// Appends the next event.
    pub(crate) fn next(&mut self, out: &mut Vec<u8>) {
        self.simulated.clear();
        let simulated = self.centre.next_event(&mut self.simulated);
        let id =
            self.simulated.get(ID).and_then(|id| std::str::from_utf8(id).ok()).expect("an event begins with its id");
        self.number += 1;
        let (number, agent) = (self.number, 1_000 + self.number % usize::try_from(AGENTS).unwrap_or(1));
        let started = out.len();
        let head = format_args!(
            "{{\"id\":\"{id}\",\"type\":\"{}\",\"version\":1,\"occurredAt\":\"{}\",\"actor\":{{\"kind\":\"USER\",\
             \"userId\":\"u_{agent}\"}},\"data\":{{\"agent\":{{\"id\":\"u_{agent}\",\"login\":\"a.{agent}@acme.example\",\
             \"extension\":\"{}\",\"licence\":\"SMART\",\"teamRefs\":[\"nantes\"]}},",
            simulated.kind,
            simulated.occurred_at,
            agent + 1_000,
        );
        out.write_fmt(head).expect("a Vec takes all bytes");
        if let Some(interaction) = simulated.interaction {
            write!(
                out,
                "\"interaction\":{{\"id\":\"i_{interaction}\",\"flow\":\"VOICE\",\"direction\":\"INCOMING\"}},\
                 \"customer\":{{\"number\":\"+336{:08}\",\"country\":\"FR\"}},\"card\":{{\"id\":\"c_{:06}\"}},",
                interaction * 7_919 % 100_000_000,
                interaction * 104_729 % 1_000_000,
            )
            .expect("a Vec takes all bytes");
        }
        write!(out, "\"waitMs\":{},\"comment\":\"", number * 31 % 60_000).expect("a Vec takes all bytes");
        let room = EVENT_BYTES - CLOSING.len() - (out.len() - started);
        out.extend(WORDS.bytes().cycle().skip(number * 13 % WORDS.len()).take(room));
        out.extend_from_slice(CLOSING.as_bytes());
    }

    /// Makes bodies of one event each.
    pub(crate) fn singles(&mut self, count: usize) -> Vec<Bytes> {
        (0..count).map(|_| self.body(1)).collect()
    }

    /// Makes bodies of `size` lines each, `count` events in all.
    pub(crate) fn batches(&mut self, count: usize, size: usize) -> Vec<Bytes> {
        (0..count.div_ceil(size)).map(|index| self.body(size.min(count - index * size))).collect()
    }

    fn body(&mut self, events: usize) -> Bytes {
        let mut body = Vec::with_capacity(events * (EVENT_BYTES + 1));
        for index in 0..events {
            if index > 0 {
                body.push(b'\n');
            }
            self.next(&mut body);
        }
        body.into()
    }
}

/// Returns the id of an event.
pub(crate) fn id(event: &[u8]) -> &str {
    event.get(ID).and_then(|id| std::str::from_utf8(id).ok()).expect("an event begins with its id")
}

/// Returns the body that a receiver gets of an event: the envelope has two fields more.
pub(crate) fn delivered(event: &[u8]) -> Bytes {
    let (open, rest) = event.split_at(1);
    [open, b"\"accountId\":\"acme\",\"test\":false,", rest].concat().into()
}

/// Where an event's id stands: after `{"id":"`.
const ID: std::ops::Range<usize> = 7..37;
const AGENTS: u32 = 50;
const CLOSING: &str = "\"}}";
/// What fills an event up: ASCII, nothing that needs an escape, and long enough not to be the same in a row.
const WORDS: &str = "Le client rappelle demain matin avant dix heures pour la livraison de mardi. La facture de \
    janvier est payee deux fois, un avoir suit par courrier. Ne parle plus anglais, demande un conseiller de Lille. \
    Adresse changee: quai de la Fosse, Nantes. Souhaite resilier son contrat, offre de fidelite refusee. \
    Panne du modem depuis vendredi, technicien prevu lundi entre huit et douze heures. Merci de confirmer par SMS. ";
