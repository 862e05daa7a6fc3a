//! Where the service's secrets come from: the settings, or, on embedded SQLite, a file beside the database that is
//! made on the first start. Owns that file.
//!
//! Invariants: on a server database nothing is made up, because a second process would make up something else; the
//! file is readable by its owner only and never half written.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::db::Target;
use crate::kernel::secret::{Secret, random_key};
use crate::kernel::text::is_key;
use crate::kernel::{Code, Error, Result};
use crate::settings::Settings;

/// Shortest secret that is accepted, in bytes: as long as the hash that it keys.
pub const SECRET_MIN: usize = 32;

/// What signs and what seals.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// Key ids and secrets of access tokens; the first signs, all verify.
    pub jwt_keys: Vec<(String, Secret)>,
    /// The key of the vault.
    pub master_key: Secret,
}

/// Takes the secrets from the settings; what is missing there comes from the file beside a SQLite database, which
/// is made when it is not there.
pub fn load(settings: &Settings, target: &Target) -> Result<Secrets> {
    let given = &settings.secrets;
    let file = match target.kind.is_server() || (given.jwt_keys.is_some() && given.master_key.is_some()) {
        true => None,
        false => Some(read_or_make(&path(settings, target))?),
    };
    let missing = |name: &str| {
        refused(format!("{name} is not set: with a server database every process needs the same secret"))
    };
    let jwt_keys = match (&given.jwt_keys, &file) {
        (Some(keys), _) => parse_keys(keys)?,
        (None, Some(file)) => parse_keys(&file.jwt_keys)?,
        (None, None) => return Err(missing("DESKWIRE_JWT_KEYS")),
    };
    let master_key = match (&given.master_key, &file) {
        (Some(key), _) => key.clone(),
        (None, Some(file)) => file.master_key.clone(),
        (None, None) => return Err(missing("DESKWIRE_MASTER_KEY")),
    };
    if master_key.expose().len() < SECRET_MIN {
        return Err(refused(format!("DESKWIRE_MASTER_KEY is shorter than {SECRET_MIN} bytes")));
    }
    Ok(Secrets { jwt_keys, master_key })
}

/// Where the file is for these settings.
pub fn path(settings: &Settings, target: &Target) -> PathBuf {
    match &settings.secret_file {
        Some(path) => path.clone(),
        None => Path::new(&target.address).with_file_name("deskwire.secret"),
    }
}

/// Reads `KID:SECRET[,KID:SECRET]`.
fn parse_keys(text: &Secret) -> Result<Vec<(String, Secret)>> {
    let mut keys: Vec<(String, Secret)> = Vec::new();
    for part in text.expose().split(',') {
        let Some((kid, secret)) = part.trim().split_once(':') else {
            return Err(refused("DESKWIRE_JWT_KEYS: expected KID:SECRET[,KID:SECRET]"));
        };
        if !is_key(kid) {
            return Err(refused("DESKWIRE_JWT_KEYS: a KID is 1 to 64 of A-Z a-z 0-9 . _ -"));
        }
        if secret.len() < SECRET_MIN {
            return Err(refused(format!(
                "DESKWIRE_JWT_KEYS: the secret of {kid:?} is shorter than {SECRET_MIN} bytes"
            )));
        }
        if keys.iter().any(|(known, _)| known == kid) {
            return Err(refused(format!("DESKWIRE_JWT_KEYS: {kid:?} is there twice")));
        }
        keys.push((kid.to_owned(), Secret::new(secret)));
    }
    match keys.len() {
        1 | 2 => Ok(keys),
        _ => Err(refused("DESKWIRE_JWT_KEYS: at most two keys, the one that signs and its predecessor")),
    }
}

struct File {
    jwt_keys: Secret,
    master_key: Secret,
}

fn read_or_make(path: &Path) -> Result<File> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse_file(path, &text),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            make(path).map_err(|cause| unusable(path, &cause))?;
            // Another process may have been first: what is on the disk counts.
            let text = std::fs::read_to_string(path).map_err(|cause| unusable(path, &cause))?;
            parse_file(path, &text)
        }
        Err(cause) => Err(unusable(path, &cause)),
    }
}

fn parse_file(path: &Path, text: &str) -> Result<File> {
    let value = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .map(Secret::new)
            .ok_or_else(|| refused(format!("{}: there is no line {name}=…", path.display())))
    };
    Ok(File { jwt_keys: value("jwt_keys")?, master_key: value("master_key")? })
}

/// Writes the whole file under another name first and links it into place, which fails when it is there already.
fn make(path: &Path) -> std::io::Result<()> {
    let temporary = path.with_extension(format!("{}.tmp", random_key(6)));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    writeln!(file, "# Secrets of this Deskwire. Keep them with the database, and from everybody else.")?;
    writeln!(file, "jwt_keys={}:{}", random_key(6), random_key(32))?;
    writeln!(file, "master_key={}", random_key(32))?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&temporary, path);
    std::fs::remove_file(&temporary)?;
    match linked {
        Err(cause) if cause.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    }
}

fn refused(detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(Code::InvalidParameter, detail)
}

fn unusable(path: &Path, cause: &std::io::Error) -> Error {
    refused(format!("the secret file {} cannot be used: {cause}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_checked_one_by_one() {
        let secret = "s".repeat(SECRET_MIN);
        assert!(parse_keys(&Secret::new(format!("a:{secret}"))).is_ok());
        assert!(parse_keys(&Secret::new(format!("b:{secret},a:{secret}"))).is_ok());
        for wrong in [
            String::new(),
            secret.clone(),
            "a:short".to_owned(),
            format!("a:{secret},a:{secret}"),
            format!("a:{secret},b:{secret},c:{secret}"),
            format!("a b:{secret}"),
        ] {
            assert!(parse_keys(&Secret::new(wrong.clone())).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_file_is_made_once_and_for_its_owner_only() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("deskwire.secret");
        let first = read_or_make(&path)?;
        let second = read_or_make(&path)?;
        assert_eq!(first.jwt_keys, second.jwt_keys);
        assert_eq!(first.master_key, second.master_key);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path)?.permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 1, "nothing else is left behind");
        Ok(())
    }
}
