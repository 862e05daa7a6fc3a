//! Errors of path and query parameters: `invalid_parameter`, and U+0000 refused before any route sees it.

use actix_web::error::{PathError, QueryPayloadError};
use actix_web::web::{PathConfig, QueryConfig};

use crate::kernel::{Code, Error};

/// How a wrong path parameter is told.
pub fn path_config() -> PathConfig {
    PathConfig::default().error_handler(|cause, _| {
        let detail = match &cause {
            PathError::Deserialize(cause) => format!("path: {cause}"),
            _ => Code::InvalidParameter.meaning().to_owned(),
        };
        Error::new(Code::InvalidParameter, detail).into()
    })
}

/// How a wrong query parameter is told.
pub fn query_config() -> QueryConfig {
    QueryConfig::default().error_handler(|cause, _| {
        let detail = match &cause {
            QueryPayloadError::Deserialize(cause) => format!("query: {cause}"),
            _ => Code::InvalidParameter.meaning().to_owned(),
        };
        Error::new(Code::InvalidParameter, detail).into()
    })
}

/// Refuses U+0000 in path and query: no store could keep it.
pub fn refuse_nul(path_and_query: &str) -> Result<(), Error> {
    match path_and_query.contains("%00") {
        true => Err(Error::new(Code::InvalidParameter, "path and query must not hold U+0000")),
        false => Ok(()),
    }
}
