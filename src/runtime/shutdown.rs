//! One signal that says: stop taking in, finish what is in flight.
//!
//! Not a cancellation of single requests. Every running part holds a [`Shutdown`] and ends by itself.

use tokio::sync::watch;

/// Makes a signal and the hand that gives it.
#[must_use]
pub fn shutdown() -> (ShutdownTrigger, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (ShutdownTrigger(sender), Shutdown(receiver))
}

/// Gives the signal, once and for all. Dropping it gives the signal too.
#[derive(Debug)]
pub struct ShutdownTrigger(watch::Sender<bool>);

impl ShutdownTrigger {
    /// Tells every holder to end.
    pub fn give(&self) {
        self.0.send_replace(true);
    }
}

/// Learns of the signal; cheap to clone.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// Returns whether the signal was given.
    #[must_use]
    pub fn is_given(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Waits for the signal.
    pub async fn given(&mut self) {
        // A closed channel means that the trigger is gone: then everything ends as well.
        while !*self.0.borrow_and_update() {
            if self.0.changed().await.is_err() {
                return;
            }
        }
    }
}
