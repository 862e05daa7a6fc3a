//! What can go wrong with a request, and how long to wait before it is repeated: full jitter, the longest wait five
//! seconds, as long as the run has patience.

use std::fmt;
use std::time::{Duration, Instant};

use rand::RngExt;
use serde_json::Value;

/// Why a request has no good answer.
#[derive(Debug, Clone)]
pub enum Failure {
    /// The server said no.
    Refused {
        /// Its code.
        code: String,
        /// The same request may succeed later.
        retryable: bool,
        /// When, if the server said so.
        retry_after: Option<Duration>,
        /// Code, detail and what the server added.
        detail: Value,
    },
    /// It never left this machine.
    Unsent(String),
    /// It left and no answer came: it may have been done or not.
    Unknown(String),
    /// The device was told to stop, or gave up.
    Over(String),
}

impl Failure {
    /// Whether the request may have been done all the same.
    pub fn leaves_doubt(&self) -> bool {
        match self {
            Self::Unknown(_) => true,
            // The server gave up waiting for its database, or a proxy for its server.
            Self::Refused { code, retryable: true, .. } => {
                matches!(code.as_str(), "busy" | "storage_unavailable" | "408" | "502" | "503" | "504")
            }
            _ => false,
        }
    }

    /// The server's code, if it said no.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { code, detail, .. } => write!(out, "refused with {code}: {detail}"),
            Self::Unsent(cause) => write!(out, "not sent: {cause}"),
            Self::Unknown(cause) => write!(out, "no answer: {cause}"),
            Self::Over(cause) => write!(out, "ended: {cause}"),
        }
    }
}

/// The waits between the attempts of one operation.
#[derive(Debug)]
pub struct Backoff {
    patience: Duration,
    since: Option<Instant>,
    attempt: u32,
}

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(5);

impl Backoff {
    /// For an operation that is worth this much waiting.
    pub fn new(patience: Duration) -> Self {
        Self { patience, since: None, attempt: 0 }
    }

    /// Waits before the next attempt, or gives the failure back when repeating cannot help or patience is over.
    pub async fn after(&mut self, failure: Failure) -> Result<(), Failure> {
        let asked = match &failure {
            Failure::Refused { retryable: false, .. } | Failure::Over(_) => return Err(failure),
            Failure::Refused { retry_after, .. } => *retry_after,
            Failure::Unsent(_) | Failure::Unknown(_) => None,
        };
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() > self.patience {
            return Err(failure);
        }
        tokio::time::sleep(asked.unwrap_or_default() + self.jitter()).await;
        Ok(())
    }

    /// Full jitter: anything from nothing to the cap, which doubles.
    fn jitter(&mut self) -> Duration {
        let cap = FIRST.saturating_mul(1 << self.attempt.min(10)).min(LONGEST);
        self.attempt += 1;
        cap.mul_f64(rand::rng().random_range(0.0..1.0))
    }

    /// It works again.
    pub fn calm(&mut self) {
        self.since = None;
        self.attempt = 0;
    }
}
