//! Pages of lists: `?limit=&cursor=` in, `{data, next_cursor}` out. Owns the form of page cursors: opaque text
//! that holds where the next page starts. A cursor grants nothing, so it is not signed: each page is checked anew.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::kernel::{Code, Error, Result};

/// Rows of a page when the request does not say.
pub const DEFAULT_LIMIT: u32 = 50;
/// Most rows of a page.
pub const MAX_LIMIT: u32 = 200;

/// Which part of a list is asked for.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Most rows to return, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first page.
    pub cursor: Option<String>,
}

impl PageQuery {
    /// How many rows to return. Fails outside 1 to 200.
    pub fn limit(&self) -> Result<i64> {
        limit(self.limit)
    }

    /// Where the page starts; `None` for the first page. Fails on a cursor that is not one of ours.
    pub fn after<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        self.cursor.as_deref().map(decode).transpose()
    }
}

/// Checks a `limit` parameter.
pub fn limit(asked: Option<u32>) -> Result<i64> {
    let limit = asked.unwrap_or(DEFAULT_LIMIT);
    match (1..=MAX_LIMIT).contains(&limit) {
        true => Ok(i64::from(limit)),
        false => Err(Error::new(Code::InvalidParameter, format!("limit must be 1 to {MAX_LIMIT}"))),
    }
}

/// One page of a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Give this as `cursor` to read on; null at the end of the list.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page of rows that were read with one more than `limit`, which tells whether there is a next page.
    pub fn new<K: Serialize>(mut rows: Vec<T>, limit: i64, key: impl FnOnce(&T) -> K) -> Self {
        let limit = usize::try_from(limit).unwrap_or_default();
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| more).map(|last| encode(&key(last)));
        Self { data: rows, next_cursor }
    }

    /// The same page with every row turned into something else.
    pub fn map<U>(self, view: impl FnMut(T) -> U) -> Page<U> {
        Page { data: self.data.into_iter().map(view).collect(), next_cursor: self.next_cursor }
    }
}

/// Makes a cursor.
pub fn encode<T: Serialize>(key: &T) -> String {
    // Keys are tuples of numbers and text, which always serialise.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).unwrap_or_default())
}

/// Reads a cursor.
pub fn decode<T: DeserializeOwned>(cursor: &str) -> Result<T> {
    let refused = || Error::new(Code::InvalidParameter, "cursor is not one that this list gave");
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| refused())?;
    serde_json::from_slice(&bytes).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_points_to_the_next_only_when_there_is_one() -> Result<()> {
        let page = Page::new(vec![5, 6, 7], 2, |last| (*last, "x"));
        assert_eq!(page.data, [5, 6]);
        let query = PageQuery { limit: None, cursor: page.next_cursor };
        assert_eq!(query.after::<(i64, String)>()?, Some((6, "x".to_owned())));
        assert_eq!(Page::new(vec![5, 6], 2, |last| *last).next_cursor, None);
        Ok(())
    }

    #[test]
    fn foreign_cursors_and_limits_are_refused() {
        for cursor in ["", "!", "bm90IGpzb24"] {
            assert!(decode::<i64>(cursor).is_err(), "{cursor}");
        }
        assert!(limit(Some(0)).is_err() && limit(Some(201)).is_err() && limit(Some(200)).is_ok());
    }
}
