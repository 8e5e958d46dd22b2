//! The account a private cluster runs under: our own, or, because PostgreSQL refuses root, an unprivileged one.
//!
//! `initdb` looks its user up by name, so the account must have a passwd entry; and every directory above the cluster and
//! above the server's binaries must be passable for it.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

/// An unprivileged account to change to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Account {
    /// None when we are not root: then the cluster is ours.
    pub(super) fn needed() -> Result<Option<Self>, String> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let passwd = std::fs::read_to_string("/etc/passwd").map_err(|e| format!("/etc/passwd cannot be read ({e})"))?;
        Self::choose(&passwd).map(Some).ok_or_else(|| {
            "PostgreSQL refuses to run as root, and neither `postgres` nor `nobody` has an entry in /etc/passwd"
                .to_owned()
        })
    }

    fn choose(passwd: &str) -> Option<Self> {
        let entries: Vec<Self> = passwd.lines().filter_map(Self::parse).collect();
        ["postgres", "nobody"].iter().find_map(|name| entries.iter().find(|entry| entry.name == *name).cloned())
    }

    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        (uid != 0).then_some(Self { name, uid, gid })
    }

    /// May this account pass through the directory and everything above it?
    pub(super) fn may_pass(&self, directory: &Path) -> bool {
        // Lost: what we cannot look at, a stranger cannot pass.
        directory.canonicalize().is_ok_and(|real| {
            real.ancestors().all(|step| {
                // Lost: likewise.
                step.metadata().is_ok_and(|meta| {
                    let mode = meta.permissions().mode();
                    let needed = if meta.uid() == self.uid {
                        0o100
                    } else if meta.gid() == self.gid {
                        0o010
                    } else {
                        0o001
                    };
                    mode & needed != 0
                })
            })
        })
    }

    /// Makes the command run under this account (std clears the supplementary groups with it).
    pub(super) fn assume(&self, command: &mut Command) {
        use std::os::unix::process::CommandExt;
        command.uid(self.uid).gid(self.gid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_is_preferred_to_nobody_and_root_is_never_taken() {
        let both = "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\npostgres:x:101:104::/var:/bin/sh\n";
        assert_eq!(Account::choose(both).unwrap().uid, 101);
        assert_eq!(Account::choose("nobody:*:-2:-2::/:\nnobody:x:65534:65533::/:/bin/false").unwrap().gid, 65533);
        assert_eq!(Account::choose("postgres:x:0:0::/:/bin/sh\n"), None);
    }

    #[test]
    fn a_closed_directory_is_not_passable_for_a_stranger() {
        let stranger = Account { name: "stranger".to_owned(), uid: 54321, gid: 54321 };
        let directory = std::env::temp_dir().join(format!("redoubt-account-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o700)).unwrap();
        assert!(!stranger.may_pass(&directory));
        std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o711)).unwrap();
        assert!(stranger.may_pass(&directory));
        std::fs::remove_dir(&directory).unwrap();
    }
}
