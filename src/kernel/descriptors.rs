//! How many files and connections the operating system lets this process open. Owns the one place where that limit
//! is raised.

/// Raises the soft limit of open files to the hard one, as every server that serves many connections must. Returns
/// the limit that holds afterwards; `None` where there is no limit or no way to ask.
#[cfg(unix)]
pub fn raise() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return limit.current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        Ok(()) => limit.maximum,
        Err(cause) => {
            log::warn!(target: "deskwire", "the limit of open files could not be raised: {cause}");
            limit.current
        }
    }
}

/// Other systems have no such limit.
#[cfg(not(unix))]
pub fn raise() -> Option<u64> {
    None
}
