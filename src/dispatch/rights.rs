//! Asks the rights component: many events of one account at a time.
//!
//! Not the decisions: those are in the table that the component is configured with. There is no timer: what is asked
//! while a batch runs is the next batch, as in the log's writer. Of one account and table one batch runs at a time.
//! Whether a type is wanted at all is decided here, before any instance is touched; the component would say the same.
//!
//! ```text
//! ask ─▶ waiting (by account and table) ─▶ batch of at most 64 ─▶ component ─▶ what is left of each
//! ```

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytestring::ByteString;
use futures_util::future::join_all;
use tokio::sync::oneshot;

use super::left::Left;
use crate::accounts::{Accounts, KeyedTable, Mark, Table};
use crate::filter::{self, Configuration, Fault, Filter, Host, Verdict};
use crate::model::{AccountId, AccountName, Event, EventType, Payload};
use crate::runtime::Tasks;

/// What rights say of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// This may be sent of it.
    Left(Left),
    /// Nothing: its type is withheld.
    Withheld,
    /// Nothing: the catalogue that the rights were decided on does not know its type.
    Unknown,
    /// The component did not answer properly.
    Fault(Fault),
}

/// The built-in rights component, ready to be asked.
#[derive(Clone)]
pub(super) struct Rights(Arc<Inner>);

struct Inner {
    host: Host,
    filter: Arc<Filter>,
    accounts: Accounts,
    tasks: Tasks,
    waiting: Mutex<HashMap<Group, Vec<Question>>>,
}

/// Events that may share an instance: of one account, under one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Group {
    account: AccountId,
    table: [u8; 32],
}

struct Question {
    event: filter::Event,
    reply: oneshot::Sender<Result<Verdict, Fault>>,
}

/// Whose event it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) account: AccountId,
    pub(super) name: &'a AccountName,
}

impl std::fmt::Debug for Rights {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Rights").finish_non_exhaustive()
    }
}

impl Rights {
    pub(super) fn new(host: Host, filter: Arc<Filter>, accounts: Accounts, tasks: Tasks) -> Self {
        Self(Arc::new(Inner { host, filter, accounts, tasks, waiting: Mutex::default() }))
    }

    /// Says what a table leaves of an event.
    pub(super) async fn ask(
        &self,
        owner: Owner<'_>,
        table: &Arc<Table>,
        event_type: &EventType,
        event: &Event,
    ) -> Answer {
        match table.mark(event_type.as_str()) {
            _ if event.is_own() => return Answer::Left(Left::all(event)),
            Mark::Wanted => {}
            Mark::Withheld => return Answer::Withheld,
            Mark::Unknown => return Answer::Unknown,
        }
        let group = Group { account: owner.account, table: *table.digest() };
        let payload = Payload::write(event);
        let (reply, answered) = oneshot::channel();
        let question = Question { event: seen(owner.name, event_type, event, payload.clone()), reply };
        self.put(group, table, question);
        let verdict = answered.await.unwrap_or_else(|_| Err(Fault::Host { what: "it was not asked".to_owned() }));
        answer(verdict, payload, event, table.keeps_unknown(event_type.as_str()))
    }

    /// Says what a table leaves of several events, in their order.
    pub(super) async fn ask_all(
        &self,
        owner: Owner<'_>,
        table: &Arc<Table>,
        events: &[(EventType, Event)],
    ) -> Vec<Answer> {
        join_all(events.iter().map(|(event_type, event)| self.ask(owner, table, event_type, event))).await
    }

    /// Lets a question wait for the next batch of its group, and starts one where none runs.
    fn put(&self, group: Group, table: &Arc<Table>, question: Question) {
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.get_mut(&group) {
            Some(questions) => questions.push(question),
            None => {
                waiting.insert(group, vec![question]);
                let (rights, table) = (self.clone(), Arc::clone(table));
                self.0.tasks.spawn(async move { rights.run(group, table).await });
            }
        }
    }

    /// Runs batches of a group until nobody waits.
    async fn run(&self, group: Group, table: Arc<Table>) {
        let keyed = KeyedTable::new(table, self.0.accounts.pseudonym_key(group.account));
        let _running = Running { rights: self, group };
        while let Some(questions) = self.take(group) {
            let (events, replies): (Vec<_>, Vec<_>) =
                questions.into_iter().map(|question| (question.event, question.reply)).unzip();
            let evaluated = self.0.host.evaluate(&self.0.filter, keyed.clone(), events).await;
            for (reply, evaluated) in replies.into_iter().zip(evaluated) {
                // Who asked may have gone away.
                drop(reply.send(evaluated.result));
            }
        }
    }

    /// Takes the next batch, or says that nobody waits and the next one who asks has to start.
    fn take(&self, group: Group) -> Option<Vec<Question>> {
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let questions = waiting.get_mut(&group)?;
        if questions.is_empty() {
            waiting.remove(&group);
            return None;
        }
        let rest = questions.split_off(questions.len().min(BATCH_EVENTS_MAX));
        Some(std::mem::replace(questions, rest))
    }
}

impl Configuration for KeyedTable {
    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(self.configuration())
    }
}

/// Lets those who wait ask again where a group's run ends before its time, by a panic.
struct Running<'a> {
    rights: &'a Rights,
    group: Group,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut waiting = self.rights.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            drop(waiting.remove(&self.group));
        }
    }
}

/// What the component sees of an event.
fn seen(account: &AccountName, event_type: &EventType, event: &Event, payload: ByteString) -> filter::Event {
    filter::Event {
        id: event.id.clone(),
        event_type: event_type.clone(),
        version: event.version,
        occurred_at: event.occurred_at,
        account: account.clone(),
        payload,
        attributes: Vec::new(),
    }
}

fn answer(verdict: Result<Verdict, Fault>, payload: ByteString, event: &Event, is_unknown_told: bool) -> Answer {
    let left = match verdict {
        Ok(Verdict::Pass) => Payload::read(payload),
        Ok(Verdict::Rewrite(payload)) => Ok(payload),
        // The table was asked before, and the component reads the same table.
        Ok(Verdict::Drop { .. }) => return Answer::Withheld,
        Err(fault) => return Answer::Fault(fault),
    };
    match left {
        Ok(payload) => Answer::Left(Left::of(&payload, event, is_unknown_told)),
        Err(problem) => {
            Answer::Fault(Fault::Host { what: format!("the payload that was made of what the log has {problem}") })
        }
    }
}

/// Events that one instance is asked about before it is thrown away.
const BATCH_EVENTS_MAX: usize = 64;
