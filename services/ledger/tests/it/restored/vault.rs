//! The archive of the WAL and a base backup.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use testkit::database::{self, Cluster};

/// The archive and the backup, which outlive the server.
pub(super) struct Vault {
    folder: PathBuf,
    pub(super) bin: PathBuf,
}

impl Vault {
    pub(super) fn settings(&self) -> Vec<String> {
        let archive = self.folder.join("archive");
        vec!["archive_mode=on".to_owned(), format!("archive_command=cp %p {}/%f", archive.display())]
    }

    /// As the runbook has them.
    pub(super) fn recovery(&self, to: &str) -> Vec<String> {
        let archive = self.folder.join("archive");
        vec![
            format!("restore_command=cp {}/%f %p", archive.display()),
            format!("recovery_target_time={to}"),
            "recovery_target_action=promote".to_owned(),
        ]
    }

    /// Another server, as the lost one was then.
    pub(super) fn restore(&self, point: &str, lost: &str) -> Cluster {
        database::server_with(self.recovery(point), Some((&self.backup(), lost))).unwrap()
    }

    pub(super) fn backup(&self) -> PathBuf {
        self.folder.join("base")
    }

    pub(super) fn back_up(&self, superuser: &str) {
        let backup = self.backup();
        let dbname = format!("--dbname={superuser}");
        let arguments = [&dbname, "--checkpoint=fast", "--wal-method=none", "--pgdata", backup.to_str().unwrap()];
        let output = Command::new(self.bin.join("pg_basebackup")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// What SQL answers, as superuser.
    pub(super) fn sql(&self, superuser: &str, statement: &str) -> String {
        let output = Command::new(self.bin.join("psql"))
            .args(["--no-psqlrc", "--tuples-only", "--no-align", "--command", statement, superuser])
            .output()
            .unwrap();
        assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

pub(super) fn vault() -> Vault {
    let folder = std::env::temp_dir().join(format!("redoubt-archive-{}", crypto::random::token(9)));
    let archive = folder.join("archive");
    std::fs::create_dir_all(&archive).unwrap();
    // PostgreSQL runs as somebody else where this is root.
    for directory in [&folder, &archive] {
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    Vault { folder, bin: PathBuf::new() }
}
