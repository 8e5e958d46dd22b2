//! What a test needs of this machine and may not find: it says so, loudly, and proves nothing; where `CI` is `true` it fails, unless somebody
//! has set the variable that goes without.

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Complains that `what` cannot be had, or fails where that must not be.
///
/// # Panics
/// With `CI=true`, unless `variable` is set.
pub fn may_be_missing(what: &str, variable: &str, reason: &str) {
    #[expect(clippy::disallowed_methods, reason = "a test is told by its environment whether it may prove nothing")]
    let (ci, waived) = (std::env::var("CI").ok(), std::env::var_os(variable).is_some());
    assert!(may_prove_nothing(ci.as_deref(), waived), "{what} cannot be had ({variable} goes without): {reason}");
    // Not `eprintln!`, which a passing test keeps to itself.
    let complaint = format!("\n!!!!! NOT TESTED: {what} cannot be had: {reason} !!!!!\n");
    drop(std::io::stderr().write_all(complaint.as_bytes()));
}

/// The folder of genuine evidence of devices: see [`outside`].
///
/// # Panics
/// As there.
pub fn vectors() -> Option<PathBuf> {
    outside("genuine evidence of devices", "REDOUBT_VECTORS", "vectors", "keyattestation")
}

/// Where something lies that is no part of this repository: in what `variable` names, or else, beside the repository, in `usual` of `shared`. Of a folder
/// something, `has`, must be in it; `has` is empty for a file. Nothing, after a complaint that nobody overlooks, which the variable with `_WAIVED` goes without.
///
/// # Panics
/// It is not there, with `CI=true`, and is not waived.
pub fn outside(what: &str, variable: &str, usual: &str, has: &str) -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a test is told by its environment where the data is")]
    let configured = std::env::var_os(variable).map(PathBuf::from);
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(usual);
    let place = configured.unwrap_or_else(usual);
    let looked_for = if has.is_empty() { place.clone() } else { place.join(has) };
    if looked_for.exists() {
        return Some(place);
    }
    let reason = format!("{} is not there (set {variable})", looked_for.display());
    may_be_missing(what, &format!("{variable}_WAIVED"), &reason);
    None
}

/// A pipeline that is green without them must have been told to be.
fn may_prove_nothing(ci: Option<&str>, waived: bool) -> bool {
    waived || ci != Some("true")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_ci_what_is_needed_is_there_or_waived() {
        assert!(!may_prove_nothing(Some("true"), false));
        assert!(may_prove_nothing(Some("true"), true) && may_prove_nothing(Some("false"), false));
        assert!(may_prove_nothing(None, false));
    }
}
