//! The types of event that a simulated call centre brings about.
//!
//! Not the catalogue: only what a day of calls, messages and e-mails needs.

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident, $text:literal;)+) => {
        /// A type of event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Kind {
            $($name,)+
        }

        impl Kind {
            /// Returns the type as an event has it.
            pub(super) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

kinds! {
    LoggedIn, "agent.logged_in";
    LoggedOut, "agent.logged_out";
    ActivityChanged, "agent.activity_changed";
    CallStarted, "call.started";
    CallQueued, "call.queued";
    CallPresented, "call.presented";
    CallAnswered, "call.answered";
    CallDeclined, "call.declined";
    CallMissed, "call.missed";
    CallAbandoned, "call.abandoned";
    CallOverflowed, "call.overflowed";
    CallHeld, "call.held";
    CallResumed, "call.resumed";
    CallTransferred, "call.transferred";
    CallEnded, "call.ended";
    PostStarted, "post_interaction.started";
    PostEnded, "post_interaction.ended";
    Qualified, "qualification.saved";
    MessagingStarted, "messaging.started";
    MessageReceived, "messaging.message_received";
    MessagingPickedUp, "messaging.picked_up";
    MessageSent, "messaging.message_sent";
    MessagingTransferred, "messaging.transferred";
    MessagingArchived, "messaging.archived";
    MessagingEnded, "messaging.ended";
    EmailReceived, "email.received";
    EmailPickedUp, "email.picked_up";
    EmailReviewRequested, "email.review_requested";
    EmailSent, "email.sent";
    EmailTransferred, "email.transferred";
    EmailArchived, "email.archived";
}
