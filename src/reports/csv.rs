//! Reports as comma-separated values (RFC 4180), for spreadsheets.
//!
//! Invariant: no cell is read as a formula: one that begins with `=`, `+`, `-`, `@`, a tab or a line end gets a `'` before it.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::service::{Figures, Row, Told};

/// The names of the columns.
const HEAD: &str = "starts_at,ends_at,id,name,count,mean_ms,p50_ms,p90_ms,mean_score,\
    score_1,score_2,score_3,score_4,score_5,mean_load";

/// A report as a table, its times by the clock of its time zone with the distance from UTC.
pub fn table(told: &Told) -> String {
    let mut text = format!("{HEAD}\r\n");
    for row in &told.rows {
        text.push_str(&line(row, &told.zone));
        text.push_str("\r\n");
    }
    text
}

fn line(row: &Row, zone: &TimeZone) -> String {
    let Figures { count, mean_ms, p50_ms, p90_ms, mean_score, scores, mean_load } = &row.figures;
    let mut cells = vec![time(row.period.0, zone), time(row.period.1, zone)];
    cells.push(Some(row.id).filter(|id| *id != 0).map(|id| id.to_string()).unwrap_or_default());
    cells.push(cell(row.name.as_deref().unwrap_or_default()));
    cells.extend([count, mean_ms, p50_ms, p90_ms].map(shown));
    cells.push(shown(mean_score));
    let scores = scores.as_deref().unwrap_or(&[]);
    cells.extend((0..5).map(|at| shown(&scores.get(at))));
    cells.push(shown(mean_load));
    cells.join(",")
}

fn shown(number: &Option<impl ToString>) -> String {
    number.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn time(at: i64, zone: &TimeZone) -> String {
    let at = Timestamp::from_millisecond(at).unwrap_or_default();
    at.display_with_offset(zone.to_offset(at)).to_string()
}

/// A text as a cell.
fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    match text.contains(['"', ',', '\r', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_none_breaks_its_row() {
        assert_eq!(cell("Wang"), "Wang");
        assert_eq!(cell("=1+1"), "'=1+1");
        for sign in ["+1", "-1", "@sum", "\t=1"] {
            assert!(cell(sign).starts_with('\''), "{sign}");
        }
        assert_eq!(cell("=HYPERLINK(\"a\",\"b\")"), "\"'=HYPERLINK(\"\"a\"\",\"\"b\"\")\"");
        assert_eq!(cell("a,b\r\nc"), "\"a,b\r\nc\"");
    }
}
