//! The histogram of durations: 128 buckets, each 1.13 times as long as the one before, from a second to about 56 days. All
//! histograms have the same buckets, so that they are added up by adding counts.
//!
//! Invariant: what a percentile says differs by at most 6.5 % from a duration that was measured, between a second and the
//! last bucket.

/// How many buckets.
pub const BUCKETS: usize = 128;
/// Where buckets end, excluded, in milliseconds; the last one has no end.
const ENDS: [i64; BUCKETS - 1] = ends();

const fn ends() -> [i64; BUCKETS - 1] {
    let mut ends = [1_000; BUCKETS - 1];
    let mut at = 1;
    while at < ends.len() {
        ends[at] = ends[at - 1] * 113 / 100;
        at += 1;
    }
    ends
}

/// The bucket of a duration in milliseconds.
pub fn bucket_of(milliseconds: i64) -> i16 {
    let below = ENDS.partition_point(|end| *end <= milliseconds);
    i16::try_from(below).unwrap_or(i16::MAX)
}

/// What stands for the durations of a bucket, in milliseconds: its middle by ratio; of the first one half a second, of the last
/// one its begin.
fn middle(bucket: i16) -> i64 {
    let at = usize::try_from(bucket).unwrap_or(0);
    match (at.checked_sub(1).and_then(|below| ENDS.get(below)), ENDS.get(at)) {
        (Some(from), Some(until)) => {
            // At most 1e10 each: exact in a float, and far from its limits.
            let product = *from as f64 * *until as f64;
            product.sqrt().round() as i64
        }
        (None, Some(until)) => until / 2,
        (from, None) => from.copied().unwrap_or(ENDS[ENDS.len() - 1]),
    }
}

/// The duration below or at which this many in a hundred of the measures lie (nearest rank), in milliseconds. Counts are
/// `(bucket, count)` in the order of buckets. `None` without measures.
pub fn percentile(counts: &[(i16, i64)], percent: i64) -> Option<i64> {
    let all: i64 = counts.iter().map(|(_, count)| count.max(&0)).sum();
    let rank = (all * percent + 99) / 100;
    let mut seen = 0;
    for (bucket, count) in counts {
        seen += count.max(&0);
        if seen >= rank.max(1) {
            return Some(middle(*bucket));
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn counts(values: &[i64]) -> Vec<(i16, i64)> {
        let mut counts = BTreeMap::new();
        values.iter().for_each(|value| *counts.entry(bucket_of(*value)).or_insert(0) += 1);
        counts.into_iter().collect()
    }

    #[test]
    fn buckets_reach_from_a_second_to_weeks() {
        assert_eq!((bucket_of(-5), bucket_of(0), bucket_of(999), bucket_of(1_000)), (0, 0, 0, 1));
        assert_eq!(bucket_of(i64::MAX), 127);
        let last = ENDS[BUCKETS - 2];
        assert!((55 * 86_400_000..58 * 86_400_000).contains(&last), "{last}");
        assert!(ENDS.is_sorted_by(|one, next| one < next));
        assert_eq!(percentile(&[], 50), None);
        assert_eq!(percentile(&[(3, 0)], 50), None);
    }

    proptest! {
        /// As sorting all values would say it, within the promised error.
        #[test]
        fn percentiles_are_near(mut values in prop::collection::vec(1_000_i64..4_000_000_000, 1..200), percent in 1_i64..=100) {
            let told = percentile(&counts(&values), percent).unwrap();
            values.sort_unstable();
            let rank = (values.len() * percent as usize).div_ceil(100).max(1);
            let exact = values[rank - 1];
            let error = (told - exact).abs() as f64 / exact as f64;
            prop_assert!(error <= 0.065, "{told} for {exact}");
        }

        /// Two histograms added up say what one over all values says.
        #[test]
        fn they_are_added_up(one in prop::collection::vec(0_i64..1_000_000_000, 0..80), other in prop::collection::vec(0_i64..1_000_000_000, 1..80)) {
            let mut both: BTreeMap<i16, i64> = counts(&one).into_iter().collect();
            counts(&other).into_iter().for_each(|(bucket, count)| *both.entry(bucket).or_insert(0) += count);
            let all: Vec<i64> = one.iter().chain(&other).copied().collect();
            prop_assert_eq!(both.into_iter().collect::<Vec<_>>(), counts(&all));
        }
    }
}
