//! One step of an export: so many lines as are written and committed together.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::file;
use super::piece;
use super::place::Place;
use super::scope::Scope;
use crate::app::App;
use crate::db::AnyConnection;
use crate::db::{blocking, types::json_text};
use crate::domain::export::ExportRow;
use crate::kernel::{Error, MemberId, Millis, Result, TenantId};

/// The form of the lines; a change that a reader could stumble over raises it.
pub const FORMAT: u32 = 1;
/// Lines, bytes and time after which a step ends.
const LINES: i64 = 5_000;
const BYTES: usize = 4 * 1_024 * 1_024;
const TIME: Duration = Duration::from_secs(5);

/// Lines of each type.
pub type Counts = BTreeMap<String, i64>;

/// What a step made.
#[derive(Debug)]
pub struct Window {
    /// A member of gzip.
    pub bytes: Vec<u8>,
    /// Where the next step begins; `None`: this was the last.
    pub next: Option<Place>,
    /// All lines until now, by type.
    pub counts: Counts,
    /// All lines until now, the first and the last among them.
    pub line_count: i64,
}

/// The first line.
#[derive(Serialize)]
struct First {
    r#type: &'static str,
    format: u32,
    tenant_id: TenantId,
    member_id: Option<MemberId>,
    rev: i64,
    started_at: Option<Millis>,
}

/// The last line.
#[derive(Serialize)]
struct Last<'a> {
    r#type: &'static str,
    counts: &'a Counts,
    line_count: i64,
}

/// What counts say.
pub fn counts_of(text: &str) -> Counts {
    serde_json::from_str(text).unwrap_or_default()
}

/// Makes the next step of an export.
pub async fn build(app: &App, row: &ExportRow) -> Result<Window> {
    let began = Instant::now();
    let mut text = Vec::new();
    let (mut counts, mut line_count) = (counts_of(&row.counts), row.line_count);
    if row.line_count == 0 {
        let first = First {
            r#type: "export",
            format: FORMAT,
            tenant_id: row.tenant_id,
            member_id: row.member_id,
            rev: row.rev,
            started_at: row.started_at.map(Millis),
        };
        line_count += 1;
        push(&mut text, &json_text(&first));
    }
    let stored = row.place.as_deref().map(serde_json::from_str::<Place>).transpose();
    let stored = stored.map_err(|cause| Error::internal("an export goes on nowhere").caused_by(cause))?;
    let mut next = stored.or_else(Place::first);
    let (of, head, before) = (row.clone(), row.rev, line_count);
    let scope = app.db.read(move |connection| Scope::load(connection, &of)).await?;
    while let Some(place) = next {
        let of = scope.clone();
        let read = move |connection: &mut AnyConnection| piece::read(connection, &of, head, &place);
        let piece = app.db.read(read).await?;
        for (kind, line) in piece.lines {
            *counts.entry(kind.to_owned()).or_default() += 1;
            line_count += 1;
            push(&mut text, &line);
        }
        next = piece.next;
        if line_count - before >= LINES || text.len() >= BYTES || began.elapsed() >= TIME {
            break;
        }
    }
    if next.is_none() {
        line_count += 1;
        push(&mut text, &json_text(&Last { r#type: "end", counts: &counts, line_count }));
    }
    let bytes = blocking(move || {
        file::compressed(&text)
            .map_err(|cause| Error::internal("an export cannot be compressed").caused_by(cause))
    });
    Ok(Window { bytes: bytes.await?, next, counts, line_count })
}

fn push(text: &mut Vec<u8>, line: &str) {
    text.extend_from_slice(line.as_bytes());
    text.push(b'\n');
}
