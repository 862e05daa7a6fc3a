//! Places where tests make the writing fail as the set does: a killed process, a lost answer, a dropped
//! publication. Compiled into debug builds only; a release build cannot be told to fail.

/// A row of the crash table. Those of a commit are passed by batches with commands only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailPoint {
    /// Everything is flushed, COMMIT is not sent.
    BeforeCommit,
    /// COMMIT took effect, its answer is lost.
    CommitAnswerLost,
    /// COMMIT did not take effect, and nobody says so.
    CommitLost,
    /// Committed, callers not answered.
    AfterCommit,
    /// Committed and answered, readers not told.
    BeforePublish,
    /// A worker delivers committed changes to its sockets.
    Deliver,
    /// A worker delivers inbox rows that it has read.
    DeliverRows,
    /// What a returning client missed was read, and it is not told yet.
    Resume,
    /// Messages were claimed, nothing has gone out.
    MessageClaimed,
    /// It is written down that messages may go out, nothing has.
    MessageStarted,
    /// The provider has answered, which is not written down yet.
    MessageAnswered,
}

/// What happens there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailAction {
    /// The process dies at once, as by kill -9.
    Abort,
    /// What the point's name says goes wrong.
    Fail,
    /// The thread or task panics.
    Panic,
    /// The task waits until the point is cleared.
    Pause,
}

/// The points that are set.
#[derive(Debug, Default)]
pub struct FailPoints {
    #[cfg(debug_assertions)]
    set: std::sync::Mutex<std::collections::HashMap<FailPoint, (FailAction, u32)>>,
}

#[cfg(debug_assertions)]
impl FailPoints {
    /// Points set by the environment: `DESKWIRE_FAIL_POINT=after_commit` aborts there the first time.
    pub fn from_environment() -> Self {
        let points = Self::default();
        let point = match std::env::var("DESKWIRE_FAIL_POINT").as_deref() {
            Ok("before_commit") => Some(FailPoint::BeforeCommit),
            Ok("after_commit") => Some(FailPoint::AfterCommit),
            Ok("before_publish") => Some(FailPoint::BeforePublish),
            Ok("message_claimed") => Some(FailPoint::MessageClaimed),
            Ok("message_started") => Some(FailPoint::MessageStarted),
            Ok("message_answered") => Some(FailPoint::MessageAnswered),
            _ => None,
        };
        if let Some(point) = point {
            points.set(point, FailAction::Abort, 1);
        }
        points
    }

    /// Makes this happen at this point the next so many times.
    pub fn set(&self, point: FailPoint, action: FailAction, times: u32) {
        let mut set = self.set.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        set.insert(point, (action, times));
    }

    /// Whether the point fails now. Does not return when the process is to die.
    pub fn hit(&self, point: FailPoint) -> bool {
        let mut set = self.set.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some((action, times)) = set.get_mut(&point) else { return false };
        if *times == 0 {
            return false;
        }
        *times -= 1;
        let action = *action;
        drop(set);
        match action {
            FailAction::Abort => std::process::abort(),
            FailAction::Fail | FailAction::Pause => true,
            // A panic that no input can cause: it shows what a bug in a command would do to a lane.
            #[allow(clippy::panic, reason = "only tests can ask for it")]
            FailAction::Panic => std::panic::panic_any("fail point"),
        }
    }
}

#[cfg(debug_assertions)]
impl FailPoints {
    /// Whether everything that was asked for at this point has happened.
    pub fn is_used_up(&self, point: FailPoint) -> bool {
        let set = self.set.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        set.get(&point).is_some_and(|(_, times)| *times == 0)
    }

    /// Takes a point back; what waits there goes on.
    pub fn clear(&self, point: FailPoint) {
        self.set.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&point);
    }

    /// Waits at the point, when it is set to [`FailAction::Pause`], until it is cleared.
    pub async fn pause(&self, point: FailPoint) {
        if self.hit(point) {
            while self.is_used_up(point) {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        }
    }
}

#[cfg(not(debug_assertions))]
impl FailPoints {
    /// No points.
    pub fn from_environment() -> Self {
        Self::default()
    }

    /// Never.
    pub fn hit(&self, _point: FailPoint) -> bool {
        false
    }

    /// Does not wait.
    pub async fn pause(&self, _point: FailPoint) {}
}
