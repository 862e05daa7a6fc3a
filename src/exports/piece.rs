//! Some rows of one table, and behind which row the next ones begin.

use super::entries;
use super::place::{PARENTS, Piece, Place, ROWS};
use super::scope::Scope;
use super::tables::{self, ENTRIES, Exported, Key, Line};
use crate::db::AnyConnection;
use crate::kernel::{Error, Result};

/// The next rows from a place on; entries up to a rev. Errors: `internal` for a place that another version of the service
/// made.
pub fn read(connection: &mut AnyConnection, scope: &Scope, head: i64, place: &Place) -> Result<Piece> {
    if place.table == ENTRIES {
        return entries::read(connection, scope, head, place.after);
    }
    let mut rest = tables::all().skip_while(|table| table.table != place.table);
    let Some(table) = rest.next() else { return Err(Error::internal("an export goes on in no table")) };
    let [first, second, _] = place.after;
    let (lines, last) = rows(connection, scope, table, (first, second))?;
    let next = match last {
        Some((first, second)) => Place { after: [first, second, 0], ..place.clone() },
        None => Place::before(rest.next().map_or(ENTRIES, |next| next.table)),
    };
    let lines = lines.into_iter().map(|line| (table.kind, line.text)).collect();
    Ok(Piece { lines, next: Some(next) })
}

/// The next rows behind a key, and the last key when there may be more.
fn rows(
    connection: &mut AnyConnection,
    scope: &Scope,
    table: &Exported,
    (first, second): Key,
) -> Result<(Vec<Line>, Option<Key>)> {
    let nothing = Ok((Vec::new(), None));
    let narrowed = match table.parent {
        Some(_) => Some("1 = 1".to_owned()),
        None => scope.narrowed(table.person),
    };
    let Some(narrowed) = narrowed else { return nothing };
    let (name, (one, other)) = (table.table, table.key);
    let owned = format!("{name}.{} = {} AND ({narrowed})", table.tenant_column(), scope.tenant);
    let mut condition = match one == other {
        true => format!("{owned} AND {name}.{one} > {first}"),
        false => {
            format!(
                "{owned} AND {name}.{one} >= {first} AND ({name}.{one} > {first} OR {name}.{other} > {second})"
            )
        }
    };
    let mut more = None;
    if let Some(parent) = table.parent {
        let parents = scope.parents(connection, parent, first, PARENTS)?;
        let Some(last) = parents.last() else { return nothing };
        more = Some((*last, i64::MAX)).filter(|_| i64::try_from(parents.len()) == Ok(PARENTS));
        let list: Vec<String> = parents.iter().map(ToString::to_string).collect();
        condition.push_str(&format!(" AND {name}.{one} IN ({})", list.join(", ")));
    }
    let mut lines = (table.read)(connection, &condition, ROWS)?;
    let full = lines.last().map(|line| line.key).filter(|_| i64::try_from(lines.len()) == Ok(ROWS));
    let Some(last) = full else { return Ok((lines, more)) };
    // Rows of one key stay together.
    lines.retain(|line| line.key != last);
    if let Some(before) = lines.last().map(|line| line.key) {
        return Ok((lines, Some(before)));
    }
    let same = format!("{owned} AND {name}.{one} = {} AND {name}.{other} = {}", last.0, last.1);
    Ok(((table.read)(connection, &same, i64::MAX)?, Some(last)))
}
