//! What follows from the answer of a provider: for the send, and for the account.
//!
//! Invariants: an attempt that may have arrived is never repeated by itself, unless its receiver knows repeats or
//! somebody waits for it (then once, and marked); what is the account's fault or the provider's wish costs a send none of
//! its attempts.

use super::account::{BREAKER_FAILURES, BREAKER_MAX_MS, BREAKER_MS, PauseReason, Provider};
use super::send::{MessagePriority, Outcome, SLOWED_MAX, SendEvent, SendReason};

/// Shortest wait after the provider asked to slow down or did not answer, in milliseconds.
const SLOW_MS: i64 = 60_000;
/// How long a send waits for an access token, in milliseconds.
const TOKEN_MS: i64 = 5_000;

/// What is known of a send when its attempt has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempted {
    /// Whose protocol.
    pub provider: Provider,
    /// How urgent it is.
    pub priority: MessagePriority,
    /// How many attempts count, with this one.
    pub attempts: i64,
    /// How often the provider asked to slow down before.
    pub slowed: i64,
    /// Whether it was sent again before although it may have arrived.
    pub may_duplicate: bool,
    /// How long ago the first attempt began that may have arrived, this one among them, in milliseconds; `None`: there is
    /// none, or the provider knows no repeats for a time.
    pub doubt_ms: Option<i64>,
}

/// What becomes of a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// What happens to it.
    pub event: SendEvent,
    /// Why, when it fails.
    pub reason: Option<SendReason>,
    /// How long it waits, in milliseconds, when it is tried again.
    pub wait_ms: i64,
    /// How many attempts count from now on.
    pub attempts: i64,
    /// How often the provider asked to slow down.
    pub slowed: i64,
    /// Whether it is sent again although it may have arrived.
    pub may_duplicate: bool,
}

/// What becomes of a send after this outcome. `retry_after_ms` is the provider's wish; `jitter` is between 0 and 1.
pub fn judge(send: Attempted, outcome: Outcome, retry_after_ms: Option<i64>, jitter: f64) -> Verdict {
    let verdict = decide(send, outcome, retry_after_ms, jitter);
    match (send.doubt_ms, verdict.reason) {
        // None of the later attempts says anything of the one that may have arrived.
        (Some(_), Some(SendReason::Attempts)) => Verdict { event: SendEvent::Lost, reason: None, ..verdict },
        _ => verdict,
    }
}

fn decide(send: Attempted, outcome: Outcome, retry_after_ms: Option<i64>, jitter: f64) -> Verdict {
    let stays = Verdict {
        event: SendEvent::Accepted,
        reason: None,
        wait_ms: 0,
        attempts: send.attempts,
        slowed: send.slowed,
        may_duplicate: send.may_duplicate,
    };
    let uncounted = Verdict { event: SendEvent::NotSent, attempts: send.attempts - 1, ..stays };
    match outcome {
        Outcome::Accepted => stays,
        Outcome::Content => refused(stays, SendReason::Content),
        Outcome::Recipient => refused(stays, SendReason::Recipient),
        Outcome::Configuration | Outcome::Abandoned => uncounted,
        Outcome::NoToken => Verdict { wait_ms: TOKEN_MS + (TOKEN_MS as f64 * jitter) as i64, ..uncounted },
        Outcome::Slow if send.slowed < SLOWED_MAX => {
            let wait_ms = retry_after_ms.unwrap_or(SLOW_MS).clamp(1_000, BREAKER_MAX_MS);
            Verdict { wait_ms, slowed: send.slowed + 1, ..uncounted }
        }
        Outcome::Slow | Outcome::Retry => {
            again(send, stays, SLOW_MS * i64::from(outcome == Outcome::Slow), retry_after_ms, jitter)
        }
        Outcome::NotNow => again(send, stays, SLOW_MS, retry_after_ms, jitter),
        Outcome::Uncertain if send.provider.is_replay_safe() => again(send, stays, SLOW_MS, None, jitter),
        Outcome::Uncertain if let Some(verdict) = known_again(send, stays, jitter) => verdict,
        Outcome::Uncertain => match (send.priority, send.may_duplicate) {
            (MessagePriority::Code | MessagePriority::Urgent, false) => {
                let verdict = again(send, stays, 0, None, jitter);
                Verdict { may_duplicate: verdict.event == SendEvent::NotSent, ..verdict }
            }
            _ => Verdict { event: SendEvent::Lost, ..stays },
        },
    }
}

/// The next attempt of a send that may have arrived, where the receiver still knows it as a repeat then.
fn known_again(send: Attempted, stays: Verdict, jitter: f64) -> Option<Verdict> {
    let verdict = again(send, stays, SLOW_MS, None, jitter);
    let at = send.doubt_ms?.saturating_add(verdict.wait_ms);
    (verdict.event == SendEvent::NotSent && at < send.provider.knows_repeats_ms()).then_some(verdict)
}

fn refused(stays: Verdict, reason: SendReason) -> Verdict {
    Verdict { event: SendEvent::Refused, reason: Some(reason), ..stays }
}

/// The next attempt by the provider's schedule, or the end.
fn again(
    send: Attempted,
    stays: Verdict,
    least_ms: i64,
    retry_after_ms: Option<i64>,
    jitter: f64,
) -> Verdict {
    let index = usize::try_from(send.attempts - 1).unwrap_or_default();
    let Some(seconds) = send.provider.backoff(send.priority).get(index) else {
        return refused(stays, SendReason::Attempts);
    };
    let base = (seconds * 1_000).max(least_ms);
    // Of the provider's wish as much as does not upset the schedule.
    let base = retry_after_ms.map_or(base, |wish| wish.clamp(base, base * 2));
    let spread = (base / 5) as f64;
    let wait_ms = base + (spread * (2.0 * jitter - 1.0)) as i64;
    Verdict { event: SendEvent::NotSent, wait_ms, ..stays }
}

/// The health of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// How many attempts failed in a row.
    pub streak: i64,
    /// Nothing is sent before this, unix milliseconds.
    pub paused_until: i64,
    /// Why.
    pub reason: Option<PauseReason>,
}

impl Health {
    /// An account that nothing speaks against.
    pub const WELL: Self = Self { streak: 0, paused_until: 0, reason: None };

    /// Whether only one attempt is to be made, to see whether the account works again.
    pub const fn is_on_trial(&self) -> bool {
        self.streak >= BREAKER_FAILURES
    }

    /// After an attempt ended so at this time.
    pub fn after(self, outcome: Outcome, retry_after_ms: Option<i64>, now: i64) -> Self {
        match outcome {
            Outcome::Accepted | Outcome::Content | Outcome::Recipient | Outcome::NotNow => Self::WELL,
            Outcome::Slow => {
                let wish = retry_after_ms.unwrap_or(SLOW_MS).clamp(1_000, BREAKER_MAX_MS);
                let until = self.paused_until.max(now + wish);
                Self { paused_until: until, reason: Some(PauseReason::Slow), ..self }
            }
            Outcome::Configuration => {
                let streak = self.streak.max(BREAKER_FAILURES - 1) + 1;
                Self { streak, paused_until: now + open_ms(streak), reason: Some(PauseReason::Configuration) }
            }
            Outcome::Retry | Outcome::Uncertain | Outcome::NoToken => {
                let streak = self.streak + 1;
                match streak >= BREAKER_FAILURES {
                    true => Self {
                        streak,
                        paused_until: now + open_ms(streak),
                        reason: Some(PauseReason::Failures),
                    },
                    false => Self { streak, ..self },
                }
            }
            Outcome::Abandoned => self,
        }
    }
}

/// How long the breaker is open after so many failures in a row.
fn open_ms(streak: i64) -> i64 {
    let doublings = (streak - BREAKER_FAILURES).clamp(0, 10);
    (BREAKER_MS << doublings).min(BREAKER_MAX_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(provider: Provider, priority: MessagePriority, attempts: i64) -> Attempted {
        Attempted { provider, priority, attempts, slowed: 0, may_duplicate: false, doubt_ms: None }
    }

    #[test]
    fn the_schedule_is_followed_to_its_end() {
        let mut waits = Vec::new();
        for attempts in 1..=10 {
            let verdict =
                judge(send(Provider::Webhook, MessagePriority::Notice, attempts), Outcome::Retry, None, 0.5);
            waits.push((verdict.event, verdict.wait_ms / 1_000, verdict.reason));
        }
        let schedule = Provider::Webhook
            .backoff(MessagePriority::Notice)
            .iter()
            .map(|wait| (SendEvent::NotSent, *wait, None));
        let end = [(SendEvent::Refused, 0, Some(SendReason::Attempts))];
        assert_eq!(waits, schedule.chain(end).collect::<Vec<_>>());
    }

    #[test]
    fn waits_are_spread_and_wishes_heeded_within_reason() {
        let first = send(Provider::Webhook, MessagePriority::Notice, 2);
        let wait = |wish, jitter| judge(first, Outcome::Retry, wish, jitter).wait_ms;
        assert_eq!((wait(None, 0.0), wait(None, 1.0)), (240_000, 360_000));
        assert_eq!((wait(Some(1), 0.5), wait(Some(400_000), 0.5)), (300_000, 400_000));
        assert_eq!(wait(Some(86_400_000), 0.5), 600_000);
    }

    #[test]
    fn what_may_have_arrived_is_not_repeated_by_itself() {
        let robot = send(Provider::DingtalkRobot, MessagePriority::Notice, 1);
        assert_eq!(judge(robot, Outcome::Uncertain, None, 0.5).event, SendEvent::Lost);
        let urgent = Attempted { priority: MessagePriority::Urgent, ..robot };
        let verdict = judge(urgent, Outcome::Uncertain, None, 0.5);
        assert_eq!((verdict.event, verdict.may_duplicate), (SendEvent::NotSent, true));
        let again = Attempted { may_duplicate: true, attempts: 2, ..urgent };
        assert_eq!(judge(again, Outcome::Uncertain, None, 0.5).event, SendEvent::Lost);
        // A receiver of webhooks knows repeats by their id.
        let webhook = send(Provider::Webhook, MessagePriority::Notice, 1);
        let verdict = judge(webhook, Outcome::Uncertain, None, 0.5);
        assert_eq!(
            (verdict.event, verdict.may_duplicate, verdict.wait_ms),
            (SendEvent::NotSent, false, 60_000)
        );
    }

    /// WeChat knows a repeat for ten minutes: after that what may have arrived is left alone.
    #[test]
    fn what_may_have_arrived_is_repeated_only_while_it_is_known() {
        let after = |attempts: i64, priority, doubt_ms, outcome| {
            let send = Attempted { doubt_ms: Some(doubt_ms), ..send(Provider::Wechat, priority, attempts) };
            let verdict = judge(send, outcome, None, 0.5);
            (verdict.event, verdict.reason, verdict.may_duplicate)
        };
        let notice = MessagePriority::Notice;
        let (again, lost) = ((SendEvent::NotSent, None, false), (SendEvent::Lost, None, false));
        assert_eq!(after(1, notice, 20_000, Outcome::Uncertain), again);
        assert_eq!(after(2, notice, 479_000, Outcome::Uncertain), again);
        assert_eq!(after(2, notice, 480_000, Outcome::Uncertain), lost);
        assert_eq!(after(1, notice, i64::MAX, Outcome::Uncertain), lost);
        assert_eq!(after(7, notice, 1_000, Outcome::Uncertain), lost, "no attempt is left");
        assert_eq!(after(7, notice, 1_000, Outcome::Retry), lost, "it is not said that it was not sent");
        let once_more = (SendEvent::NotSent, None, true);
        assert_eq!(after(1, MessagePriority::Code, 600_000, Outcome::Uncertain), once_more);
    }

    #[test]
    fn without_a_token_sends_wait_and_the_breaker_counts() {
        let first = send(Provider::Wechat, MessagePriority::Notice, 1);
        let verdict = judge(first, Outcome::NoToken, None, 0.5);
        assert_eq!((verdict.event, verdict.attempts, verdict.wait_ms), (SendEvent::NotSent, 0, 7_500));
        let mut health = Health::WELL;
        for _ in 0..BREAKER_FAILURES {
            health = health.after(Outcome::NoToken, None, 0);
        }
        assert_eq!((health.paused_until, health.reason), (60_000, Some(PauseReason::Failures)));
    }

    #[test]
    fn a_phone_that_takes_nothing_now_is_tried_later_and_says_nothing_of_the_account() {
        let code = send(Provider::AliyunSms, MessagePriority::Code, 1);
        assert_eq!(judge(code, Outcome::Retry, None, 0.5).wait_ms, 2_000);
        let verdict = judge(code, Outcome::NotNow, None, 0.5);
        assert_eq!((verdict.event, verdict.wait_ms, verdict.attempts), (SendEvent::NotSent, 60_000, 1));
        let last = Attempted { attempts: 4, ..code };
        assert_eq!(judge(last, Outcome::NotNow, None, 0.5).reason, Some(SendReason::Attempts));
        let notice = send(Provider::TwilioSms, MessagePriority::Notice, 6);
        assert_eq!(judge(notice, Outcome::Retry, None, 0.5).wait_ms, 21_600_000);
        let health = Health::WELL.after(Outcome::Retry, None, 0);
        assert_eq!(health.after(Outcome::NotNow, None, 0), Health::WELL);
    }

    #[test]
    fn the_account_and_the_provider_cost_a_send_no_attempt() {
        let first = send(Provider::WecomRobot, MessagePriority::Notice, 1);
        let verdict = judge(first, Outcome::Configuration, None, 0.5);
        assert_eq!((verdict.event, verdict.attempts), (SendEvent::NotSent, 0));
        let verdict = judge(first, Outcome::Slow, Some(7_000), 0.5);
        assert_eq!((verdict.attempts, verdict.slowed, verdict.wait_ms), (0, 1, 7_000));
        let tired = Attempted { slowed: SLOWED_MAX, ..first };
        assert_eq!(judge(tired, Outcome::Slow, None, 0.5).attempts, 1);
    }

    #[test]
    fn the_breaker_opens_doubles_and_closes() {
        let mut health = Health::WELL;
        for _ in 1..BREAKER_FAILURES {
            health = health.after(Outcome::Retry, None, 0);
            assert_eq!((health.paused_until, health.is_on_trial()), (0, false));
        }
        for expected in [60_000, 120_000, 240_000, 480_000, 960_000, 1_800_000, 1_800_000] {
            health = health.after(Outcome::Uncertain, None, 0);
            assert_eq!((health.paused_until, health.is_on_trial()), (expected, true));
        }
        assert_eq!(health.after(Outcome::Accepted, None, 0), Health::WELL);
        let tripped = Health::WELL.after(Outcome::Configuration, None, 0);
        assert_eq!((tripped.paused_until, tripped.reason), (60_000, Some(PauseReason::Configuration)));
    }
}
