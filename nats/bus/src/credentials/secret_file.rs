//! Files for this user alone, written whole or not at all.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::CredentialsError;

pub(super) fn failed<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl Fn(std::io::Error) -> CredentialsError + 'a {
    move |source| CredentialsError::File {
        action,
        path: path.to_owned(),
        source,
    }
}

/// A temporary file beside `path`, readable by this user alone, holding `text` on the disk.
pub(super) fn stage(path: &Path, text: &str) -> Result<tempfile::NamedTempFile, CredentialsError> {
    let folder = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
        .map_err(failed("write beside", path))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.as_file().sync_all())
        .map_err(failed("write", path))?;
    Ok(file)
}

/// Writes by rename; what already says the same is left alone.
pub(super) fn write(path: &Path, text: &str) -> Result<(), CredentialsError> {
    if fs::read_to_string(path).is_ok_and(|there| there == text) && exposed(path).is_none() {
        return Ok(());
    }
    stage(path, text)?
        .persist(path)
        .map_err(|error| failed("write", path)(error.error))?;
    Ok(())
}

pub(super) fn read(path: &Path) -> Result<Option<String>, CredentialsError> {
    match fs::read_to_string(path) {
        Ok(text) => match exposed(path) {
            Some(mode) => Err(CredentialsError::Exposed {
                path: path.to_owned(),
                mode,
            }),
            None => Ok(Some(text)),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

/// The permission bits of a file that others can read.
fn exposed(path: &Path) -> Option<u32> {
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}
