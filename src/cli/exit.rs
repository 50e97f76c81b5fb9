//! How a command ends: well, with a no, or with a failure.
//!
//! Not what is printed (see `problem`). The numbers are part of the contract: scripts branch on them.

use std::io;
use std::process::ExitCode;

use super::problem::Problem;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It is done.
    Done,
    /// It could not be done.
    Failed,
    /// It was asked for in a way that cannot be understood.
    Usage,
    /// It was done, and the answer is no: a test failed, a check found damage.
    No,
}

impl Exit {
    /// Returns the number of the contract.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::No => 3,
        }
    }

    /// Returns `Done` where the answer is yes, else `No`.
    pub(crate) const fn answer(is_yes: bool) -> Self {
        if is_yes { Self::Done } else { Self::No }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command could not do what it was asked for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The arguments contradict each other or the configuration lacks something.
    Usage(String),
    /// The server refused, and said why.
    Problem(Problem),
    /// Anything else, told as a chain of causes.
    Failed(anyhow::Error),
}

impl Failure {
    /// Makes a failure of a sentence.
    pub(crate) fn failed(sentence: impl Into<String>) -> Self {
        Self::Failed(anyhow::Error::msg(sentence.into()))
    }

    /// Makes a failure of a sentence about wrong usage.
    pub(crate) fn usage(sentence: impl Into<String>) -> Self {
        Self::Usage(sentence.into())
    }

    /// Returns how the process ends with it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Problem(problem) if problem.is_of_what_was_asked() => Exit::Usage,
            Self::Problem(_) => Exit::Failed,
            // `hooklog event list acme | head -1` has done what was wanted.
            Self::Failed(_) if self.is_reader_gone() => Exit::Done,
            Self::Failed(_) => Exit::Failed,
        }
    }

    /// Returns whether whoever read our output has stopped reading.
    pub(crate) fn is_reader_gone(&self) -> bool {
        let Self::Failed(failure) = self else { return false };
        failure.downcast_ref::<WriteFailed>().is_some_and(|failed| failed.0.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(failure: anyhow::Error) -> Self {
        Self::Failed(failure)
    }
}

/// What we print could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the output")]
pub(crate) struct WriteFailed(#[source] pub(crate) io::Error);

impl From<WriteFailed> for Failure {
    fn from(failed: WriteFailed) -> Self {
        Self::Failed(failed.into())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{Exit, Failure, WriteFailed};

    #[test]
    fn the_codes_are_those_of_the_contract() {
        let codes = [Exit::Done, Exit::Failed, Exit::Usage, Exit::No].map(Exit::code);
        assert_eq!(codes, [0, 1, 2, 3]);
        assert_eq!(Failure::usage("x").exit(), Exit::Usage);
        assert_eq!(Failure::failed("x").exit(), Exit::Failed);
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure_and_a_full_disk_is() {
        let write = |kind| Failure::from(WriteFailed(io::Error::from(kind)));
        assert_eq!(write(io::ErrorKind::BrokenPipe).exit(), Exit::Done);
        assert_eq!(write(io::ErrorKind::StorageFull).exit(), Exit::Failed);
        let socket = Failure::from(anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe)));
        assert_eq!(socket.exit(), Exit::Failed, "a socket that broke is not our reader");
    }
}
