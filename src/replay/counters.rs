//! What happened how often in a run. Owns the names of the counters, as the report tells them.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {
        /// What happened how often.
        #[derive(Debug, Default)]
        pub struct Counters { $($(#[$meta])* pub $name: AtomicU64,)+ }

        impl Counters {
            /// Every counter with its name.
            pub fn all(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.load(Ordering::Relaxed)),)+]
            }
        }
    };
}

counters! {
    /// Messages that were acknowledged.
    messages,
    /// Of them, those that were first acknowledged over a socket.
    over_socket,
    /// Dialogues that were played to their end.
    dialogues,
    /// Sockets that went live, the first time included.
    connections,
    /// Sockets cut on purpose.
    cuts,
    /// Sockets that ended because an agent left its desk.
    absences,
    /// Sockets that ended by themselves.
    drops,
    /// Connections that a client gave up because the server was silent for longer than it announces.
    silences,
    /// Sends repeated on purpose through another transport.
    repeats,
    /// Attempts that ended without an answer.
    unknown,
    /// Answers that said: try again later.
    deferred,
    /// Entries that a server sent again.
    resent,
    /// Access tokens renewed on a live socket.
    renewals,
    /// Holes that a client closed by pulling.
    pulls,
    /// Times that a server announced dropped frames.
    lags,
    /// Times that a server told a client to forget.
    resets,
    /// Claims that another agent had won.
    claims_lost,
    /// Offers that were accepted.
    offers_accepted,
    /// Offers that were declined.
    offers_declined,
    /// Offers that were left without an answer on purpose.
    offers_ignored,
    /// Answers to offers that came too late.
    offers_late,
    /// Conversations that an agent handed over to another one.
    transfers,
    /// Transfers that were refused: the other one is absent or full, or it would go in circles.
    transfers_refused,
    /// Conversations that an agent handed over to a group.
    group_transfers,
    /// Conversations that an agent offered to another one.
    transfers_offered,
    /// Such offers that were taken back.
    transfers_withdrawn,
    /// Ratings that were given or changed.
    ratings,
    /// Turns that visitors said by a file.
    files,
    /// Conversations that were docked to a group.
    docks,
    /// Docked conversations that an agent took for itself.
    taken_out,
    /// What a supervisor did.
    supervised,
    /// Times that an agent asked a customer who had gone whether it is still there.
    nudges,
    /// Customers who went away in the middle.
    left,
    /// Dialogues that the server ended because the customer was silent.
    timed_out,
    /// Conversations that an agent let wait again.
    releases,
    /// Conversations that an agent found to be no longer its own.
    lost,
    /// Times that somebody said to be typing.
    typings,
    /// Delivered positions that were reported.
    delivered_reports,
    /// Messages that were edited.
    edits,
    /// Messages that were recalled.
    recalls,
    /// Edits and recalls that were refused: the conversation was closed, or the time was over.
    changes_refused,
    /// Notes that were written.
    notes,
    /// Conversations that were marked as unread.
    marked_unread,
    /// Visitors who identified and kept their account.
    identified,
    /// Visitors who turned out to be a known customer.
    merged,
}

/// Adds one.
pub fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
