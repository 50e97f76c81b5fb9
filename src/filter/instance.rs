//! One instance of a filter in its sandbox: made, asked, thrown away.
//!
//! Not the batch: [`super::run`] decides how long an instance lives. Invariant: before each call fuel, wall
//! time and output are limited anew, and after a call that failed the instance is not called again.

use wasmtime::component::{Linker, WasmStr};
use wasmtime::{AsContext, PoolConcurrencyLimitError, ResourceLimiter, Store, StoreContextMut, Trap};

use super::bindings::{self, FilterPre};
use super::event::Event;
use super::fault::{Fault, Stage};
use super::limits::{
    CORE_INSTANCES_MAX, LOG_BYTES_MAX, LOG_CALL_FUEL, Limits, MEMORIES_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX, cut_words,
};
use super::verdict::BadAnswer;
use super::wall::Wall;

/// An instance and its store.
pub(super) struct Instance {
    store: Store<State>,
    guest: bindings::Filter,
    limits: Limits,
    wall: Wall,
    /// What the last call was given.
    fuel: u64,
}

/// Why a call came to no answer.
#[derive(Debug)]
pub(super) enum Stop {
    /// It would come to none again.
    Fault(Fault),
    /// The safety net cut it off, which says nothing.
    Slow(Stage),
}

impl Instance {
    /// Makes an instance.
    ///
    /// # Errors
    /// Where its start functions fail, or the host has no room.
    pub(super) fn start(pre: &FilterPre<State>, limits: &Limits, wall: Wall) -> Result<Self, Stop> {
        let mut store = Store::new(pre.engine(), State { room: Room::new(limits), log: Log::new() });
        store.limiter(|state| &mut state.room);
        // The contract has no resources.
        store.set_max_component_handles(0);
        let fuel = limits.fuel(0);
        arm(&mut store, fuel, limits.output_bytes_max, wall);
        let guest = pre.instantiate(&mut store).map_err(|problem| {
            stop(&problem, &Call { stage: Stage::Start, fuel, output_bytes_max: limits.output_bytes_max, limits })
        })?;
        Ok(Self { store, guest, limits: *limits, wall, fuel })
    }

    /// Asks what the filter is.
    ///
    /// # Shape
    /// All texts together are at most `output_bytes_max` bytes.
    pub(super) fn describe(&mut self, output_bytes_max: usize) -> Result<bindings::About, Stop> {
        let limits = self.limits;
        self.call(Stage::Describe, limits.fuel(0), output_bytes_max, |guest, store| guest.call_describe(store))
    }

    /// Hands over the configuration.
    pub(super) fn configure(&mut self, configuration: &str) -> Result<(), Stop> {
        let limits = self.limits;
        let answer =
            self.call(Stage::Configure, limits.fuel(configuration.len()), limits.output_bytes_max, |guest, store| {
                guest.call_configure(store, configuration)
            })?;
        answer.map_err(|words| Stop::Fault(Fault::ConfigureRefused { words: cut_words(&words) }))
    }

    /// Asks about an event.
    pub(super) fn evaluate(&mut self, event: &Event) -> Result<bindings::Verdict, Stop> {
        let attributes: Vec<(&str, &str)> = event.attributes.iter().map(|(name, value)| (&**name, &**value)).collect();
        let event = bindings::Event {
            id: event.id.as_str(),
            type_: event.event_type.as_str(),
            version: event.version,
            occurred_at_ms: event.occurred_at.0,
            account: event.account.as_str(),
            payload: &event.payload,
            attributes: &attributes,
        };
        let limits = self.limits;
        self.call(Stage::Evaluate, limits.fuel(event.payload.len()), limits.output_bytes_max, |guest, store| {
            guest.call_evaluate(store, event)
        })
    }

    /// Returns the fuel that the last call used.
    pub(super) fn fuel_used(&self) -> u64 {
        self.fuel.saturating_sub(self.store.get_fuel().unwrap_or(0))
    }

    /// Returns what was logged since it was last asked.
    pub(super) fn take_log(&mut self) -> Vec<String> {
        std::mem::replace(&mut self.store.data_mut().log, Log::new()).lines
    }

    fn call<T>(
        &mut self,
        stage: Stage,
        fuel: u64,
        output_bytes_max: usize,
        call: impl FnOnce(&bindings::Filter, &mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<T, Stop> {
        self.fuel = fuel;
        arm(&mut self.store, fuel, output_bytes_max, self.wall);
        call(&self.guest, &mut self.store)
            .map_err(|problem| stop(&problem, &Call { stage, fuel, output_bytes_max, limits: &self.limits }))
    }
}

fn arm(store: &mut Store<State>, fuel: u64, output_bytes_max: usize, wall: Wall) {
    store.set_fuel(fuel).expect("the engine counts fuel");
    store.set_epoch_deadline(wall.ticks());
    // One byte more, so that an answer of exactly the greatest size is told from a larger one by its size.
    store.set_hostcall_fuel(output_bytes_max.saturating_add(1));
}

/// What a store holds of ours.
pub(super) struct State {
    room: Room,
    log: Log,
}

/// What an instance may allocate. Whatever goes beyond is a fault and not a failure that the guest could see: it
/// would differ from machine to machine.
struct Room {
    memory_bytes_max: usize,
}

/// The guest asked for more than it may have.
#[derive(Debug, thiserror::Error)]
#[error("the limit of memory is reached")]
struct NoRoom;

/// The machine did not give what the guest may have.
#[derive(Debug, thiserror::Error)]
#[error("the machine has no memory for it: {0}")]
struct NoMemory(wasmtime::Error);

impl Room {
    const fn new(limits: &Limits) -> Self {
        Self { memory_bytes_max: limits.memory_bytes_max }
    }
}

impl ResourceLimiter for Room {
    fn memory_growing(&mut self, _current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired > self.memory_bytes_max {
            return Err(NoRoom.into());
        }
        // What the module itself forbids fails as in every engine.
        Ok(maximum.is_none_or(|maximum| desired <= maximum))
    }

    fn memory_grow_failed(&mut self, problem: wasmtime::Error) -> wasmtime::Result<()> {
        // More than 32 bits can address is not even asked for before.
        if problem.to_string().contains("exceeds memory type's limits") {
            return Err(NoRoom.into());
        }
        Err(NoMemory(problem).into())
    }

    fn table_growing(&mut self, _current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired > TABLE_ELEMENTS_MAX {
            return Err(NoRoom.into());
        }
        Ok(maximum.is_none_or(|maximum| desired <= maximum))
    }

    fn table_grow_failed(&mut self, problem: wasmtime::Error) -> wasmtime::Result<()> {
        Err(NoMemory(problem).into())
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX as usize
    }

    fn tables(&self) -> usize {
        TABLES_MAX as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX as usize
    }
}

/// What an event's author is told, up to a limit.
struct Log {
    lines: Vec<String>,
    bytes_left: usize,
}

impl Log {
    const fn new() -> Self {
        Self { lines: Vec::new(), bytes_left: LOG_BYTES_MAX }
    }

    fn add(&mut self, text: &str) {
        if self.bytes_left == 0 {
            return;
        }
        // The end of a line counts too: a thousand empty ones are not free.
        let end = text.floor_char_boundary(self.bytes_left - 1);
        let line = text.get(..end).unwrap_or_default();
        self.bytes_left -= line.len() + 1;
        self.lines.push(line.to_owned());
    }
}

/// Gives filters what they may import: `log`, and the names of the types.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.instance(TYPES)?;
    linker.instance(LOGGING)?.func_wrap("log", |mut store: StoreContextMut<'_, State>, (text,): (WasmStr,)| {
        let text = text.to_str(store.as_context())?.into_owned();
        // A call is cheap for the guest and not for us, so it pays for what it makes us do.
        let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
        match store.get_fuel()?.checked_sub(bytes.saturating_add(LOG_CALL_FUEL)) {
            Some(left) => store.set_fuel(left)?,
            None => {
                store.set_fuel(0)?;
                return Err(Trap::OutOfFuel.into());
            }
        }
        store.data_mut().log.add(&text);
        Ok(())
    })
}

/// The interface of the types.
pub(super) const TYPES: &str = "hooklog:filter/types@1.0.0";
/// The interface of the log.
pub(super) const LOGGING: &str = "hooklog:filter/logging@1.0.0";

/// A call that failed.
struct Call<'a> {
    stage: Stage,
    fuel: u64,
    output_bytes_max: usize,
    limits: &'a Limits,
}

/// Says in our words why a call failed.
fn stop(problem: &wasmtime::Error, call: &Call<'_>) -> Stop {
    let stage = call.stage;
    if let Some(trap) = problem.downcast_ref::<Trap>() {
        return stop_at_trap(*trap, call);
    }
    if problem.is::<NoRoom>() {
        return Stop::Fault(Fault::Memory { stage, bytes_max: call.limits.memory_bytes_max });
    }
    if problem.is::<NoMemory>() || problem.is::<PoolConcurrencyLimitError>() {
        return Stop::Fault(Fault::Host { what: format!("{problem:#}") });
    }
    let what = problem.root_cause().to_string();
    // wasmtime keeps the type of this one to itself.
    if what.contains("fuel allocated for hostcalls") {
        return Stop::Fault(Fault::OutputTooLarge { stage, bytes_max: call.output_bytes_max });
    }
    match stage {
        Stage::Start => Stop::Fault(Fault::Host { what: format!("{problem:#}") }),
        // Nothing else of what can fail here is ours: a text or a place that is none.
        Stage::Describe | Stage::Configure | Stage::Evaluate => {
            Stop::Fault(Fault::BadAnswer(BadAnswer::Unreadable(cut_words(&what))))
        }
    }
}

fn stop_at_trap(trap: Trap, call: &Call<'_>) -> Stop {
    let stage = call.stage;
    Stop::Fault(match trap {
        Trap::Interrupt => return Stop::Slow(stage),
        Trap::OutOfFuel => Fault::OutOfFuel { stage, fuel: call.fuel },
        Trap::StackOverflow => Fault::StackOverflow { stage },
        Trap::AllocationTooLarge => Fault::Memory { stage, bytes_max: call.limits.memory_bytes_max },
        Trap::StringOutOfBounds
        | Trap::ListOutOfBounds
        | Trap::InvalidDiscriminant
        | Trap::InvalidChar
        | Trap::UnalignedPointer => Fault::BadAnswer(BadAnswer::Unreadable(words(trap))),
        // The list is wasmtime's and grows: all others are what a program does wrong.
        _ => Fault::Trap { stage, what: words(trap) },
    })
}

fn words(trap: Trap) -> String {
    let words = trap.to_string();
    words.strip_prefix("wasm trap: ").unwrap_or(&words).to_owned()
}
