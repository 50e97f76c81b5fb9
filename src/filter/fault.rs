//! A fault: the filter did not answer properly, and how.
//!
//! Not a verdict: what becomes of the event is decided elsewhere, and never is it let out unfiltered. All
//! but two are functions of component, configuration and event and come again each time: [`Fault::Slow`]
//! was tried three times, [`Fault::Host`] is no fault of the filter.

use std::fmt;

use super::limits::TRIES_MAX;
use super::verdict::BadAnswer;

/// How a filter failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It used more fuel than the event has.
    #[error("out of fuel while {stage}: {fuel} units were not enough")]
    OutOfFuel {
        /// What it was doing.
        stage: Stage,
        /// What it was given.
        fuel: u64,
    },
    /// It asked for more memory than it may have.
    #[error("out of memory while {stage}: it may use {bytes_max} bytes")]
    Memory {
        /// What it was doing.
        stage: Stage,
        /// Bytes it may use.
        bytes_max: usize,
    },
    /// Its calls went too deep.
    #[error("stack overflow while {stage}")]
    StackOverflow {
        /// What it was doing.
        stage: Stage,
    },
    /// It did what no program may: reached the unreachable (a panic, an abort), read beyond its memory…
    #[error("trap while {stage}: {what}")]
    Trap {
        /// What it was doing.
        stage: Stage,
        /// The trap in words.
        what: String,
    },
    /// What it answered has not the form of an answer.
    #[error("bad answer: {0}")]
    BadAnswer(BadAnswer),
    /// It handed out more than it may.
    #[error("output too large while {stage}: more than {bytes_max} bytes")]
    OutputTooLarge {
        /// What it was doing.
        stage: Stage,
        /// Bytes it may hand out.
        bytes_max: usize,
    },
    /// It does not take this configuration.
    #[error("the filter refuses its configuration: {words}")]
    ConfigureRefused {
        /// Why, in the filter's words.
        words: String,
    },
    /// The safety net cut it off each time.
    #[error("cut off {TRIES_MAX} times while {stage}: the fuel did not run out in the time that is allowed")]
    Slow {
        /// What it was doing.
        stage: Stage,
    },
    /// The host could not run it: nothing is known of the filter, try again later.
    #[error("the filter could not be run: {what}")]
    Host {
        /// What went wrong.
        what: String,
    },
}

/// What a filter is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its instance is made, which may run code of its own.
    Start,
    /// `describe`.
    Describe,
    /// `configure`.
    Configure,
    /// `evaluate`.
    Evaluate,
}

impl Fault {
    /// Returns the code: a word of the contract.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::OutOfFuel { .. } => "out_of_fuel",
            Self::Memory { .. } => "memory",
            Self::StackOverflow { .. } => "stack_overflow",
            Self::Trap { stage: Stage::Start, .. } => "start_trap",
            Self::Trap { stage: Stage::Describe | Stage::Configure | Stage::Evaluate, .. } => "trap",
            Self::BadAnswer(_) => "bad_answer",
            Self::OutputTooLarge { .. } => "output_too_large",
            Self::ConfigureRefused { .. } => "configure_refused",
            Self::Slow { .. } => "epoch",
            Self::Host { .. } => "host",
        }
    }

    /// Returns whether hooklog is at fault: then nothing may be concluded about filter or event.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        matches!(self, Self::Host { .. })
    }

    /// Makes the fault of a host whose threads have ended.
    pub(super) fn ended() -> Self {
        Self::Host { what: "the host of filters has ended".to_owned() }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Start => "starting",
            Self::Describe => "describing itself",
            Self::Configure => "checking its configuration",
            Self::Evaluate => "evaluating an event",
        })
    }
}
