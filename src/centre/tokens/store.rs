//! Queries over `channel_token`. Each takes the account.

use diesel::prelude::*;

use crate::db::schema::channel_token;
use crate::db::{AnyConnection, DbErrorKind, error_kind::error_kind, time};
use crate::kernel::{ChannelAccountId, Result, TenantId};

/// Whoever found that there is no token.
const NOBODY: &str = "";

/// A row of `channel_token`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = channel_token, treat_none_as_default_value = false)]
pub(super) struct TokenRow {
    /// Of which account.
    pub account_id: ChannelAccountId,
    /// Whose.
    pub tenant_id: TenantId,
    /// The token, sealed.
    pub sealed_token: String,
    /// A hash of the settings with which it was got.
    pub made_for: String,
    /// The how manieth it is; 0: there was none yet.
    pub generation: i64,
    /// When the next one is got, unix milliseconds.
    pub renew_at: i64,
    /// When it ends, unix milliseconds.
    pub expires_at: i64,
    /// Who gets the next one.
    pub lease_owner: Option<String>,
    /// Until when that is left to it, the database's unix milliseconds.
    pub lease_until: i64,
}

/// What is done about a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It is used.
    Use,
    /// Another one is asked for.
    Ask,
    /// Somebody else asks for another one.
    Wait,
    /// Somebody else asked in vain a moment ago.
    Refused,
}

impl Next {
    /// For this row. `holds` tells whether its token can be used. One that is about to end is used as long as somebody
    /// else gets the next one, or cannot.
    pub(super) fn of(
        row: Option<&TokenRow>,
        holds: impl Fn(&TokenRow) -> bool,
        now: i64,
        database_now: i64,
    ) -> Self {
        let Some(row) = row else { return Self::Ask };
        let is_leased = row.lease_until > database_now;
        match (holds(row), is_leased) {
            (true, _) if row.renew_at > now => Self::Use,
            (true, true) => Self::Use,
            (false, true) if row.lease_owner.as_deref() == Some(NOBODY) => Self::Refused,
            (false, true) => Self::Wait,
            (_, false) => Self::Ask,
        }
    }
}

/// The token of an account, and the database's time.
pub(super) fn find(
    connection: &mut AnyConnection,
    account: ChannelAccountId,
) -> Result<(Option<TokenRow>, i64)> {
    let row = channel_token::table.find(account).select(TokenRow::as_select());
    Ok((row.get_result(connection).optional()?, time::now(connection)?))
}

/// Has this owner get the token after this generation; `false` when another does, or did.
pub(super) fn lease(
    connection: &mut AnyConnection,
    (tenant, account): (TenantId, ChannelAccountId),
    generation: i64,
    owner: &str,
    milliseconds: i64,
) -> Result<bool> {
    let now = time::now(connection)?;
    let taken = diesel::update(
        channel_token::table
            .filter(channel_token::account_id.eq(account))
            .filter(channel_token::generation.eq(generation))
            .filter(channel_token::lease_until.le(now)),
    )
    .set((channel_token::lease_owner.eq(owner), channel_token::lease_until.eq(now + milliseconds)))
    .execute(connection)?;
    if taken == 1 || generation > 0 {
        return Ok(taken == 1);
    }
    let row = TokenRow {
        account_id: account,
        tenant_id: tenant,
        sealed_token: String::new(),
        made_for: String::new(),
        generation: 0,
        renew_at: 0,
        expires_at: 0,
        lease_owner: Some(owner.to_owned()),
        lease_until: now + milliseconds,
    };
    // Under a savepoint: on PostgreSQL a refused row would end the transaction around it.
    let inserted = connection
        .transaction(|connection| diesel::insert_into(channel_token::table).values(&row).execute(connection));
    match inserted {
        Ok(_) => Ok(true),
        Err(cause) if error_kind(&cause) == DbErrorKind::Unique => Ok(false),
        Err(cause) => Err(cause.into()),
    }
}

/// Stores a token; `false` when its owner has the lease no longer.
pub(super) fn keep(connection: &mut AnyConnection, row: &TokenRow, owner: &str) -> Result<bool> {
    let kept = diesel::update(
        channel_token::table
            .filter(channel_token::account_id.eq(row.account_id))
            .filter(channel_token::generation.eq(row.generation - 1))
            .filter(channel_token::lease_owner.eq(owner)),
    )
    .set((
        channel_token::sealed_token.eq(&row.sealed_token),
        channel_token::made_for.eq(&row.made_for),
        channel_token::generation.eq(row.generation),
        channel_token::renew_at.eq(row.renew_at),
        channel_token::expires_at.eq(row.expires_at),
        channel_token::lease_owner.eq(None::<&str>),
        channel_token::lease_until.eq(0),
    ))
    .execute(connection)?;
    Ok(kept == 1)
}

/// Writes down that there is no token: nobody asks for so long.
pub(super) fn refuse(
    connection: &mut AnyConnection,
    account: ChannelAccountId,
    generation: i64,
    owner: &str,
    milliseconds: i64,
) -> Result<()> {
    let until = time::now(connection)? + milliseconds;
    diesel::update(
        channel_token::table
            .filter(channel_token::account_id.eq(account))
            .filter(channel_token::generation.eq(generation))
            .filter(channel_token::lease_owner.eq(owner)),
    )
    .set((channel_token::lease_owner.eq(NOBODY), channel_token::lease_until.eq(until)))
    .execute(connection)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_asks_and_the_others_use_wait_or_know() {
        let row = |renew_at, owner: Option<&str>, lease_until| TokenRow {
            account_id: ChannelAccountId(1),
            tenant_id: TenantId(1),
            sealed_token: String::new(),
            made_for: String::new(),
            generation: 1,
            renew_at,
            expires_at: 200,
            lease_owner: owner.map(str::to_owned),
            lease_until,
        };
        let next = |row: &TokenRow, holds: bool, now| Next::of(Some(row), |_| holds, now, 1_000);
        assert_eq!(Next::of(None, |_| true, 0, 0), Next::Ask);
        assert_eq!(next(&row(100, None, 0), true, 99), Next::Use);
        assert_eq!(next(&row(100, None, 0), true, 100), Next::Ask);
        assert_eq!(next(&row(100, None, 0), false, 0), Next::Ask);
        let (leased, over) = (row(100, Some("a"), 1_001), row(100, Some("a"), 1_000));
        assert_eq!((next(&leased, true, 150), next(&leased, false, 150)), (Next::Use, Next::Wait));
        assert_eq!((next(&over, true, 150), next(&over, false, 150)), (Next::Ask, Next::Ask));
        let refused = row(100, Some(NOBODY), 1_001);
        assert_eq!((next(&refused, true, 150), next(&refused, false, 150)), (Next::Use, Next::Refused));
    }
}
