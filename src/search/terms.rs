//! Queries over `search_term`: what accounts and conversations are found by. Every function takes the tenant.
//!
//! Terms are only added. Those of texts that an object has no more lead to it, and its present texts decide.

use diesel::prelude::*;

use crate::db::AnyConnection;
use crate::db::append::add_missing;
use crate::db::schema::search_term;
use crate::domain::search::{ObjectType, Term};
use crate::kernel::{Result, TenantId};
use crate::on;

/// Adds terms of an object.
pub fn add(
    connection: &mut AnyConnection,
    tenant: TenantId,
    object_type: ObjectType,
    objects: &[(i64, Vec<Term>)],
) -> Result<()> {
    let number = i64::from(object_type.number());
    let of = |(object, terms): &(i64, Vec<Term>)| {
        let object = *object;
        terms.iter().map(move |term| [tenant.0, number, term.0, object]).collect::<Vec<_>>()
    };
    let mut rows: Vec<[i64; 4]> = objects.iter().flat_map(of).collect();
    rows.sort_unstable();
    add_missing(connection, "search_term", ["tenant_id", "object_type", "term", "object_id"], &rows)
}

/// The newest objects that have one of these terms, with ids below `below`, at most `limit` rows.
pub fn newest(
    connection: &mut AnyConnection,
    tenant: TenantId,
    object_type: ObjectType,
    terms: &[Term],
    below: i64,
    limit: i64,
) -> Result<Vec<i64>> {
    let terms: Vec<i64> = terms.iter().map(|term| term.0).collect();
    Ok(on!(connection, inner => search_term::table
        .filter(search_term::tenant_id.eq(tenant))
        .filter(search_term::object_type.eq(object_type.number()))
        .filter(search_term::term.eq_any(&terms))
        .filter(search_term::object_id.lt(below))
        .order(search_term::object_id.desc())
        .limit(limit)
        .select(search_term::object_id)
        .load(inner))?)
}

/// Takes some of a tenant's terms away; whether there are more.
pub fn clear(connection: &mut AnyConnection, tenant: TenantId, rows: i64) -> Result<bool> {
    let all = || search_term::table.filter(search_term::tenant_id.eq(tenant));
    let last: Option<(i16, i64)> = all()
        .order((search_term::object_type.asc(), search_term::term.asc()))
        .offset(rows)
        .select((search_term::object_type, search_term::term))
        .first(connection)
        .optional()?;
    let Some((object_type, term)) = last else {
        diesel::delete(all()).execute(connection)?;
        return Ok(false);
    };
    diesel::delete(all().filter(search_term::object_type.lt(object_type))).execute(connection)?;
    let this = all().filter(search_term::object_type.eq(object_type)).filter(search_term::term.le(term));
    diesel::delete(this).execute(connection)?;
    Ok(true)
}
