//! Secrets in files: the only way a secret enters a process.
//!
//! A file that others can read is refused, because a secret that leaked quietly is worse than a service that does not
//! start. One exception, a narrow form of PostgreSQL's: what belongs to root may be read by its group, if that is the own group of whoever reads it
//! and who is not root. So Kubernetes hands a secret to a process without rights (`fsGroup` makes every mode 0440 at least), and it has no other way.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::{Secret, SecretBytes, SecretString, b64};

/// No secret is longer; a wrong path (a log, a device) is noticed instead of read.
const MAX_BYTES: u64 = 64 * 1024;

/// Why a secret file cannot be used. Names the path and, where there is one, the fix.
#[derive(Debug, Error)]
pub enum FileError {
    /// The file cannot be read or written.
    #[error("secret file {path}: {source}")]
    Io {
        /// Path of the secret file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// Group or others may read or write the file.
    #[error("secret file {path} has mode {mode:04o}, others can reach it; fix: {fix} {path}")]
    Exposed {
        /// What helps, before the path.
        fix: &'static str,
        /// Path of the secret file.
        path: PathBuf,
        /// Permission bits of the file; one of group or others is set.
        mode: u32,
    },
    /// The file is empty or longer than 64 KiB.
    #[error("secret file {path} is empty or longer than 64 KiB")]
    Size {
        /// Path of the secret file.
        path: PathBuf,
    },
    /// The content is not what is expected.
    #[error("secret file {path} does not hold {expected}")]
    Content {
        /// Path of the secret file.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
    },
}

/// Reads a secret file, byte for byte.
pub fn read_secret(path: impl AsRef<Path>) -> Result<SecretBytes, FileError> {
    let path = path.as_ref();
    let io = |source| FileError::Io { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(io)?;
    // The open file is checked, not the path: it cannot be exchanged in between.
    refuse_exposed(path, &file.metadata().map_err(io)?)?;
    // Full capacity at once: a growing buffer would leave copies of the secret behind.
    // Default: the limit is far below any address space.
    let mut bytes = Secret::new(Vec::with_capacity(usize::try_from(MAX_BYTES + 1).unwrap_or(usize::MAX)));
    let read = file.take(MAX_BYTES + 1).read_to_end(bytes.expose_mut()).map_err(io)?;
    if read == 0 || bytes.expose().len() as u64 > MAX_BYTES {
        return Err(FileError::Size { path: path.to_owned() });
    }
    Ok(bytes)
}

/// Reads a secret that is one line of text (a URL, a bearer token): surrounding whitespace is dropped.
pub fn read_secret_text(path: impl AsRef<Path>) -> Result<SecretString, FileError> {
    let path = path.as_ref();
    let content = || FileError::Content { path: path.to_owned(), expected: "one line of text" };
    let bytes = read_secret(path)?;
    let text = std::str::from_utf8(bytes.expose()).map_err(|_| content())?.trim();
    if text.is_empty() || text.contains(['\n', '\r', '\0']) {
        return Err(content());
    }
    Ok(SecretString::from(text))
}

/// Reads a 256-bit key: 32 raw bytes, or the same as one line of base64url (the lengths tell which).
pub fn read_key(path: impl AsRef<Path>) -> Result<Secret<[u8; 32]>, FileError> {
    let path = path.as_ref();
    let content = || FileError::Content { path: path.to_owned(), expected: "32 bytes, raw or as base64url" };
    let bytes = read_secret(path)?;
    if let Ok(key) = <[u8; 32]>::try_from(bytes.expose().as_slice()) {
        return Ok(Secret::new(key));
    }
    let text = std::str::from_utf8(bytes.expose()).map_err(|_| content())?.trim_end();
    let decoded = SecretBytes::new(b64::decode(text).map_err(|_| content())?);
    decoded.expose().as_slice().try_into().map(Secret::new).map_err(|_| content())
}

/// Writes a new secret file that only its owner can reach. An existing file is never overwritten.
pub fn write_new_secret(path: impl AsRef<Path>, content: &[u8]) -> Result<(), FileError> {
    let path = path.as_ref();
    let io = |source| FileError::Io { path: path.to_owned(), source };
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(io)?;
    file.write_all(content).map_err(io)?;
    file.sync_all().map_err(io)
}

#[cfg(unix)]
fn refuse_exposed(path: &Path, metadata: &std::fs::Metadata) -> Result<(), FileError> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let mode = metadata.permissions().mode() & 0o7777;
    let reader = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let of_root = metadata.uid() == ROOT && reader.0 != ROOT;
    if mode & forbidden((metadata.uid(), metadata.gid()), reader) != 0 {
        // Who is not root changes nothing about root's file.
        let fix = if of_root { "as root, chmod 440 and chgrp to the group of the process:" } else { "chmod 600" };
        return Err(FileError::Exposed { fix, path: path.to_owned(), mode });
    }
    Ok(())
}

#[cfg(unix)]
const ROOT: u32 = 0;

/// The bits that a secret file of this owner and group must not have, for a reader of that account and group.
#[cfg(unix)]
const fn forbidden(file: (u32, u32), reader: (u32, u32)) -> u32 {
    if file.0 == ROOT && reader.0 != ROOT && file.1 == reader.1 { 0o037 } else { 0o077 }
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature as on unix")]
fn refuse_exposed(_: &Path, _: &std::fs::Metadata) -> Result<(), FileError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new() -> Self {
            let path = std::env::temp_dir().join(format!("redoubt-files-{}", crate::random::token(12)));
            std::fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn file(&self, content: &[u8]) -> PathBuf {
            let path = self.0.join(crate::random::token(6));
            write_new_secret(&path, content).unwrap();
            path
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _gone = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_written_secret_is_read_back() {
        let scratch = Scratch::new();
        let path = scratch.file(b"hunter2\n");
        assert_eq!(read_secret(&path).unwrap().expose(), b"hunter2\n");
        assert_eq!(read_secret_text(&path).unwrap().expose(), "hunter2");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_fix() {
        use std::os::unix::fs::PermissionsExt as _;
        let scratch = Scratch::new();
        let path = scratch.file(b"secret");
        for mode in [0o640, 0o604, 0o620, 0o602] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let error = read_secret(&path).unwrap_err();
            assert!(matches!(error, FileError::Exposed { .. }));
            assert!(error.to_string().contains(&format!("chmod 600 {}", path.display())));
        }
    }

    /// What Kubernetes mounts is root's, and the process's group's to read; nobody else's file is, and no other group's.
    #[cfg(unix)]
    #[test]
    fn only_roots_file_may_be_read_by_its_group_if_that_is_the_readers_and_only_to_who_is_not_root() {
        const SOMEBODY: (u32, u32) = (10_001, 10_001);
        for (file, reader, mode, good) in [
            ((ROOT, SOMEBODY.1), SOMEBODY, 0o440, true),
            ((ROOT, SOMEBODY.1), SOMEBODY, 0o640, true),
            ((ROOT, SOMEBODY.1), SOMEBODY, 0o444, false),
            ((ROOT, SOMEBODY.1), SOMEBODY, 0o460, false),
            ((ROOT, SOMEBODY.1), SOMEBODY, 0o450, false),
            ((ROOT, 4), SOMEBODY, 0o440, false),
            ((ROOT, ROOT), (ROOT, ROOT), 0o440, false),
            (SOMEBODY, SOMEBODY, 0o400, true),
            (SOMEBODY, SOMEBODY, 0o440, false),
            ((SOMEBODY.0 + 1, SOMEBODY.1), SOMEBODY, 0o440, false),
        ] {
            assert_eq!(mode & forbidden(file, reader) == 0, good, "{file:?} {reader:?} {mode:o}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read_secret("/nonexistent/secret").unwrap_err();
        assert!(error.to_string().contains("/nonexistent/secret"));
    }

    #[test]
    fn empty_and_oversized_files_are_refused() {
        let scratch = Scratch::new();
        for content in [Vec::new(), vec![b'x'; 64 * 1024 + 1]] {
            assert!(matches!(read_secret(scratch.file(&content)), Err(FileError::Size { .. })));
        }
    }

    #[test]
    fn a_key_is_read_raw_or_as_base64url() {
        let scratch = Scratch::new();
        let key = crate::random::bytes::<32>();
        let text = format!("{}\n", b64::encode(&key));
        assert_eq!(read_key(scratch.file(&key)).unwrap().expose(), &key);
        assert_eq!(read_key(scratch.file(text.as_bytes())).unwrap().expose(), &key);
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        let scratch = Scratch::new();
        let short = b64::encode(&[7; 31]);
        for content in [&[7_u8; 31][..], &[7; 33], short.as_bytes()] {
            assert!(matches!(read_key(scratch.file(content)), Err(FileError::Content { .. })));
        }
    }

    #[test]
    fn an_existing_secret_is_not_overwritten() {
        let scratch = Scratch::new();
        let path = scratch.file(b"first");
        assert!(write_new_secret(&path, b"second").is_err());
        assert_eq!(read_secret(&path).unwrap().expose(), b"first");
    }
}
