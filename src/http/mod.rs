//! What every route shares: problems, pages, limits, request ids. Knows no room and no table.

pub mod problem;
