//! Programs that nobody here wrote, from npm: fetched by name with the ordinary client, version and checksum pinned, run by node.
//!
//! Where node, npm or the registry is missing, the tests that need them say so, loudly, and prove nothing; where `CI` is `true` they
//! fail, unless somebody has set `REDOUBT_NPM_WAIVED`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use testkit::tools;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// A script that says nothing for so long hangs.
const WORD_LIMIT: Duration = Duration::from_mins(1);

/// A package that depends on no other.
pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// As npm reports it of the bytes that it received.
    pub(crate) integrity: &'static str,
}

/// What scripts share, by the names under which they import it.
const MODULES: [(&str, &str); 1] = [("person.mjs", include_str!("person.mjs"))];

/// A script that runs on a package, and talks in lines.
pub(crate) struct Script {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Script {
    /// Starts `text` beside the package; `None` after a complaint that nobody overlooks.
    pub(crate) async fn start(package: &Package, text: &str, environment: &[(&str, &str)]) -> Option<Self> {
        let folder = match fetched(package) {
            Ok(folder) => folder,
            Err(reason) => {
                testkit::missing::may_be_missing(&format!("npm's {}", package.name), "REDOUBT_NPM_WAIVED", &reason);
                return None;
            }
        };
        // node looks for a package beside the script and above, so the script lies in a folder of its own in the package's.
        let folder = folder.join(crypto::random::token(9));
        std::fs::create_dir(&folder).unwrap();
        let script = folder.join("script.mjs");
        for (name, text) in MODULES.into_iter().chain([("script.mjs", text)]) {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let mut child = Command::new("node")
            .arg(&script)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()).lines());
        let mut started = Self { child, input, output };
        assert_eq!(started.hears("ready").await, "", "the script begins with `ready`");
        // It has been read.
        std::fs::remove_dir_all(folder).unwrap();
        Some(started)
    }

    /// The next line, which must begin with `word`; what stands behind it.
    pub(crate) async fn hears(&mut self, word: &str) -> String {
        let line = timeout(WORD_LIMIT, self.output.next_line()).await.unwrap().unwrap();
        // When it fails it says why on standard error, which is ours.
        let Some(line) = line else { unreachable!("{word} was expected of the script, and it has ended") };
        let Some(rest) = line.strip_prefix(word) else { unreachable!("{word} was expected of the script: {line}") };
        rest.trim().to_owned()
    }

    /// The same as JSON.
    pub(crate) async fn told(&mut self, word: &str) -> Value {
        serde_json::from_str(&self.hears(word).await).unwrap()
    }

    pub(crate) async fn tell(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// It has ended, and well.
    pub(crate) async fn ended(mut self) {
        drop(self.input);
        let status = timeout(WORD_LIMIT, self.child.wait()).await.unwrap().unwrap();
        assert!(status.success(), "{status}");
    }
}

/// The folder in which `import` finds the package.
pub(crate) fn fetched(package: &Package) -> Result<PathBuf, String> {
    let Package { name, version, integrity } = package;
    tools::said(std::process::Command::new("node").arg("--version"))?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("npm-{name}-{version}"));
    tools::whole(&folder, |fresh| {
        let modules = fresh.join("node_modules");
        std::fs::create_dir_all(&modules).map_err(|error| error.to_string())?;
        // `npm pack` unpacks nothing and runs nothing.
        let mut npm = std::process::Command::new("npm");
        npm.args(["pack", &format!("{name}@{version}"), "--json", "--silent", "--fetch-timeout=15000"]);
        let report = tools::said(npm.args(["--fetch-retries=1", "--pack-destination"]).arg(fresh))?;
        assert!(report.contains(integrity), "npm's {name} {version} is not the pinned one: its checksum differs");
        let archive = fresh.join(format!("{name}-{version}.tgz"));
        tools::said(std::process::Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(&modules))?;
        std::fs::rename(modules.join("package"), modules.join(name)).map_err(|error| error.to_string())
    })?;
    Ok(folder)
}
