//! Reports: what is measured of the work of a desk, and how the measures are added up. Pure rules; no I/O, no clock.
//!
//! Owns the names of metrics and dimensions, the stretch of a conversation ([`stretch`]), the tally of what was measured
//! ([`tally`]), the histogram from which percentiles come ([`histogram`]) and the periods of an answer ([`periods`]).
//!
//! Invariants: of each metric the numbers of all agents, those of all groups and those of the tenant come to the same;
//! percentiles come from histograms that were added up, never from other percentiles.

pub mod histogram;
pub mod periods;
pub mod stretch;
pub mod tally;

use crate::text_enum;

text_enum! {
    /// What is measured.
    ReportMetric {
        /// From the opening, reopening or release of a conversation until an agent or a group serves it.
        Waiting = "waiting",
        /// From the customer's first message of a stretch to the first one of the staff. Where the staff wrote first there is
        /// none.
        FirstResponse = "first_response",
        /// From the customer's first unanswered message to the next message of the staff; the first response too.
        Response = "response",
        /// From the assignment to an agent, or the docking to a group, to its end. Who hands over and who takes over count each.
        Handling = "handling",
        /// From the opening or reopening to the closing. What was closed as `merged` or `spam` is left out.
        Resolution = "resolution",
        /// What was closed while nobody had answered the customer since the opening or reopening. What was closed as `merged` or
        /// `spam` is left out.
        Missed = "missed",
        /// How many conversations were served at the same time, on average.
        Load = "load",
        /// Conversations that were opened or reopened.
        Opened = "opened",
        /// Messages of customers.
        CustomerMessages = "customer_messages",
        /// Messages of the staff to customers.
        StaffMessages = "staff_messages",
        /// Ratings by customers, with the score that they have now.
        Rating = "rating",
    }
}

impl ReportMetric {
    /// Its word in the store for what durations by business hours differ by from those by all hours.
    pub const fn business_word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting_business",
            Self::FirstResponse => "first_response_business",
            Self::Response => "response_business",
            Self::Handling => "handling_business",
            Self::Resolution => "resolution_business",
            // Others do not last.
            _ => self.as_str(),
        }
    }

    /// Whether it measures how long something took.
    pub const fn is_duration(self) -> bool {
        matches!(
            self,
            Self::Waiting | Self::FirstResponse | Self::Response | Self::Handling | Self::Resolution
        )
    }
}

text_enum! {
    /// By what a report is divided.
    ReportDimension {
        /// By the member of the staff.
        Agent = "agent",
        /// By the group whose matter the conversations are.
        Group = "group",
        /// Not at all.
        Tenant = "tenant",
    }
}

text_enum! {
    /// Into what periods a report is divided, by the time zone that was asked for.
    ReportInterval {
        /// Hours.
        Hour = "hour",
        /// Days.
        Day = "day",
        /// Weeks, which begin on Monday.
        Week = "week",
        /// Months.
        Month = "month",
        /// Not at all.
        Total = "total",
    }
}

text_enum! {
    /// In what form a report is answered.
    ReportFormat {
        /// JSON.
        Json = "json",
        /// A table of comma-separated values, as spreadsheets read them.
        Csv = "csv",
    }
}

/// A quarter of an hour, in milliseconds: the smallest time that is kept apart.
pub const QUARTER_MS: i64 = 900_000;
/// Longest time from the begin to the end of a report, in milliseconds: 400 days.
pub const RANGE_MAX_MS: i64 = 400 * 86_400_000;
/// Most periods of a report.
pub const PERIODS_MAX: usize = 750;
/// Most rows of a report.
pub const REPORT_ROWS_MAX: usize = 10_000;
