//! How many requests an endpoint gets at once, and whose turn is next.
//!
//! Not who is ready: it says how many and which course. The window opens at one request and doubles with
//! each round of successes up to the endpoint's limit; who has had none for a minute begins at one again. Live
//! work goes first, but of every ten requests one is the replay's, if it has one to make.

use std::time::Duration;

use crate::runtime::Monotonic;

/// The number of requests that may be in flight.
#[derive(Debug)]
pub(super) struct Window {
    size: u32,
    max: u32,
    live_in_a_row: u32,
    last_success: Option<Monotonic>,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Live,
    Replay,
}

impl Window {
    pub(super) fn new(max: u32) -> Self {
        Self { size: 1, max: max.max(1), live_in_a_row: 0, last_success: None }
    }

    /// Changes the limit; a smaller one holds for what is sent from now on.
    pub(super) fn resize(&mut self, max: u32) {
        self.max = max.max(1);
        self.size = self.size.min(self.max);
    }

    pub(super) const fn size(&self) -> u32 {
        self.size
    }

    pub(super) const fn max(&self) -> u32 {
        self.max
    }

    /// Hears of a success and widens by one: a round of as many as the window has places doubles it.
    pub(super) fn succeeded(&mut self, now: Monotonic) {
        self.last_success = Some(now);
        self.size = (self.size + 1).min(self.max);
    }

    /// Returns whether there was no success yet.
    pub(super) const fn is_new(&self) -> bool {
        self.last_success.is_none()
    }

    /// Returns whether there was no success in the last minute, so that nothing is known of the receiver.
    pub(super) fn is_silent(&self, now: Monotonic) -> bool {
        self.last_success.is_none_or(|at| now.since(at) >= SILENT_AFTER)
    }

    /// Closes down to one request, because the endpoint is in trouble or was silent for long.
    pub(super) const fn close(&mut self) {
        self.size = 1;
    }

    /// Says whose turn it is, given who has something to send.
    pub(super) const fn turn(&mut self, live_is_ready: bool, replay_is_ready: bool) -> Option<Turn> {
        match (live_is_ready, replay_is_ready) {
            (false, false) => None,
            (true, false) => Some(Turn::Live),
            (true, true) if self.live_in_a_row < LIVE_IN_A_ROW_MAX => {
                self.live_in_a_row += 1;
                Some(Turn::Live)
            }
            (true | false, true) => {
                self.live_in_a_row = 0;
                Some(Turn::Replay)
            }
        }
    }
}

const SILENT_AFTER: Duration = Duration::from_secs(60);
/// Nine for live and one for the replay: "at least a tenth".
const LIVE_IN_A_ROW_MAX: u32 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_doubles_with_each_round_of_successes_up_to_the_limit() {
        let mut window = Window::new(12);
        for expected in [1, 2, 4, 8, 12, 12] {
            assert_eq!(window.size(), expected);
            (0..window.size()).for_each(|_| window.succeeded(Monotonic(0)));
        }
        window.resize(5);
        assert_eq!(window.size(), 5);
        window.close();
        assert_eq!(window.size(), 1);
        assert_eq!(Window::new(0).size(), 1);
    }

    #[test]
    fn an_endpoint_is_silent_until_its_first_success_and_a_minute_after_its_last() {
        let mut window = Window::new(12);
        assert!(window.is_silent(Monotonic(0)));
        window.succeeded(Monotonic(1));
        assert!(!window.is_silent(Monotonic(60_000_000_000)));
        assert!(window.is_silent(Monotonic(60_000_000_001)));
    }

    #[test]
    fn live_goes_first_and_a_replay_gets_a_tenth() {
        let mut window = Window::new(1);
        let turns: Vec<_> = (0..100).filter_map(|_| window.turn(true, true)).collect();
        assert_eq!(turns.first(), Some(&Turn::Live));
        assert_eq!(turns.iter().filter(|turn| **turn == Turn::Replay).count(), 10);
        assert_eq!(window.turn(true, false), Some(Turn::Live));
        assert_eq!(window.turn(false, true), Some(Turn::Replay));
        assert_eq!(window.turn(false, false), None);
    }
}
