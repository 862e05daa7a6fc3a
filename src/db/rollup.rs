//! The table `report_bucket`: adding to its numbers without reading them, and adding them up. Diesel has no expression for
//! either that the three databases share. Numbers are written out, and so are words, which are this program's own: there is
//! nothing in them to quote.

use std::fmt::Write as _;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, SmallInt};

use super::AnyConnection;
use crate::kernel::{Result, TenantId};
use crate::on;

/// Rows of one statement.
const ROWS: usize = 500;

/// A row of `report_bucket`, without its tenant and its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// What was measured: a word without quotes.
    pub metric: &'static str,
    /// By what it is added up: a word without quotes.
    pub dimension: &'static str,
    /// When, in quarters of an hour since 1970.
    pub quarter_hour: i64,
    /// Of which agent or group; 0: of none, or of the tenant.
    pub dimension_id: i64,
    /// Where in the histogram.
    pub bucket: i16,
}

/// What is added to a cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Numbers {
    /// How many.
    pub measures: i64,
    /// What they come to.
    pub total: i64,
}

/// What the cells of some quarters of an hour come to, for one dimension and bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QueryableByName)]
pub struct Sum {
    /// Of which agent or group; 0: of none, or of the tenant.
    #[diesel(sql_type = BigInt)]
    pub dimension_id: i64,
    /// Where in the histogram.
    #[diesel(sql_type = SmallInt)]
    pub bucket: i16,
    /// How many.
    #[diesel(sql_type = BigInt)]
    pub measures: i64,
    /// What they come to.
    #[diesel(sql_type = BigInt)]
    pub total: i64,
    /// How many in each quarter of an hour times its number.
    #[diesel(sql_type = BigInt)]
    pub moment: i64,
}

/// Adds to the cells of a tenant, each given once. They are to be in one order, so that two writers do not wait for each other.
pub fn add<'a>(
    connection: &mut AnyConnection,
    tenant: TenantId,
    cells: impl Iterator<Item = (&'a Cell, &'a Numbers)>,
) -> Result<()> {
    const KEY: &str = "tenant_id, metric, dimension, quarter_hour, dimension_id, bucket";
    let clause = match connection {
        #[cfg(feature = "mysql")]
        AnyConnection::Mysql(_) => {
            " ON DUPLICATE KEY UPDATE measures = measures + VALUES(measures), total = total + VALUES(total)"
                .to_owned()
        }
        #[allow(unreachable_patterns, reason = "reachable with the features of the others")]
        _ => format!(
            " ON CONFLICT ({KEY}) DO UPDATE SET measures = report_bucket.measures + excluded.measures, \
             total = report_bucket.total + excluded.total"
        ),
    };
    let cells: Vec<_> = cells.collect();
    for cells in cells.chunks(ROWS) {
        let mut text = format!("INSERT INTO report_bucket ({KEY}, measures, total) VALUES ");
        for (index, (cell, numbers)) in cells.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let Cell { metric, dimension, quarter_hour, dimension_id, bucket } = cell;
            let Numbers { measures, total } = numbers;
            let _ = write!(
                text,
                "{comma}({tenant}, '{metric}', '{dimension}', {quarter_hour}, {dimension_id}, {bucket}, \
                 {measures}, {total})"
            );
        }
        text.push_str(&clause);
        on!(connection, inner => diesel::sql_query(text).execute(inner))?;
    }
    Ok(())
}

/// What the cells of these metrics and a dimension come to, added up, from a quarter of an hour (included) to another one (excluded).
pub fn sums(
    connection: &mut AnyConnection,
    tenant: TenantId,
    metrics: &[&'static str],
    dimension: &'static str,
    (from, until): (i64, i64),
) -> Result<Vec<Sum>> {
    let number = match connection {
        #[cfg(feature = "mysql")]
        AnyConnection::Mysql(_) => "SIGNED",
        #[allow(unreachable_patterns, reason = "reachable with the features of the others")]
        _ => "BIGINT",
    };
    let metrics = metrics.join("', '");
    let text = format!(
        "SELECT dimension_id, bucket, CAST(SUM(measures) AS {number}) AS measures, \
         CAST(SUM(total) AS {number}) AS total, CAST(SUM(measures * quarter_hour) AS {number}) AS moment \
         FROM report_bucket WHERE tenant_id = {tenant} AND metric IN ('{metrics}') AND dimension = '{dimension}' \
         AND quarter_hour >= {from} AND quarter_hour < {until} \
         GROUP BY dimension_id, bucket ORDER BY dimension_id, bucket"
    );
    Ok(on!(connection, inner => diesel::sql_query(text).load(inner))?)
}
