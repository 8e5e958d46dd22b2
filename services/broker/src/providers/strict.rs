//! What a manifest must say plainly. Whatever a parser would repair (a backslash, a tab, a host in another script), drop (a limit
//! of 0, an event that nobody knows) or merge (a name twice) is refused instead: who wrote it meant something else.

use api::text::Flaw;
use std::collections::BTreeSet;

use url::{Host, Url};

use super::manifest::{Auth, Encoding, Manifest, Method, OperationManifest};
use super::webhook::WebhookManifest;

/// Bytes that are read of an answer or a webhook at most.
pub(super) const MAX_BYTES: u32 = 1024 * 1024;

/// Characters that an editor does not show do not belong into a file that opens a way out.
pub(super) fn visible(text: &str) -> Result<(), String> {
    let hidden = |line: &str| Flaw::of(&line.replace('\t', "")).is_some();
    match text.lines().position(hidden) {
        Some(line) => Err(format!("line {} has a character that is not shown", line + 1)),
        None => Ok(()),
    }
}

/// A host by name on HTTPS and nothing else, in the form that the parser leaves as it is. An address would never be resolved, so it
/// would never be checked.
pub(super) fn base_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("base_url: {error}"))?;
    let plain = |host: &str| {
        host.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte))
            && !host.ends_with('.')
    };
    match url.host() {
        Some(Host::Domain(host)) if plain(host) => (),
        _ => return Err("base_url: the host must be a plain name, not an address".to_owned()),
    }
    let extras =
        !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some();
    if url.scheme() != "https" || extras {
        return Err("base_url: https://host[:port][/prefix] and nothing more".to_owned());
    }
    // Without a path the parser adds `/`; anything else that it changes was not written as meant.
    if url.as_str().strip_suffix('/').unwrap_or(url.as_str()) != text.strip_suffix('/').unwrap_or(text) {
        return Err(format!("base_url: would be read as {url}; write it so"));
    }
    let path = url.path().strip_prefix('/').ok_or_else(|| "base_url: its path does not begin with /".to_owned())?;
    let path = path.strip_suffix('/').unwrap_or(path);
    if !path.is_empty() && !path.split('/').all(segment) {
        return Err("base_url: a segment of its path is not plain".to_owned());
    }
    Ok(url)
}

/// A piece of a path that every reader of it takes alike.
pub(super) fn segment(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)) && !matches!(text, "" | "." | "..")
}

/// What concerns the provider as a whole.
pub(super) fn check(manifest: &Manifest) -> Result<(), String> {
    let (limits, breaker) = (manifest.limits, manifest.breaker);
    let mut operations = manifest.operations.values();
    let all_forms = operations.clone().all(|one| one.method == Method::Post && one.encoding == Encoding::Form);
    let doubled =
        matches!(&manifest.auth, Some(Auth::Form { field, .. }) if operations.any(|one| has_field(one, field)));
    if limits.concurrency == 0 || limits.calls_per_minute == 0 || breaker.failures == 0 {
        return Err("a limit of 0 serves nobody; leave the provider out instead".to_owned());
    }
    let rules = [
        (!is_name(manifest.name.as_str()), "its name is not lower-case letters, digits, - and _"),
        (breaker.open_seconds == 0, "breaker.open_seconds: a breaker that never stays open breaks nothing"),
        (
            manifest.auth.as_ref().is_some_and(|auth| !is_name(auth.secret().as_str())),
            "auth.secret: not the id of a secret",
        ),
        (
            matches!(&manifest.auth, Some(Auth::Form { field, .. }) if !is_parameter(field)),
            "auth.field: not a plain name",
        ),
        (
            matches!(manifest.auth, Some(Auth::Form { .. })) && !all_forms,
            "auth: every operation must be a POST of a form",
        ),
        (doubled, "auth.field: is the place of a parameter, too"),
    ];
    first(&rules)?;
    manifest.webhook.as_ref().map_or(Ok(()), check_webhook)
}

/// Whether one of its parameters is called so in the body.
fn has_field(operation: &OperationManifest, field: &str) -> bool {
    // Default: the provider calls it what we call it.
    operation.params.iter().any(|(name, parameter)| parameter.field.as_ref().unwrap_or(name) == field)
}

fn check_webhook(webhook: &WebhookManifest) -> Result<(), String> {
    first(&[
        (!is_name(webhook.secret.as_str()), "webhook.secret: not the id of a secret"),
        (webhook.max_bytes == 0 || webhook.max_bytes > MAX_BYTES, "webhook.max_bytes: up to 1 MiB"),
    ])
}

/// The first rule that is broken.
pub(super) fn first(rules: &[(bool, &str)]) -> Result<(), String> {
    match rules.iter().find(|(broken, _)| *broken) {
        Some((_, problem)) => Err((*problem).to_owned()),
        None => Ok(()),
    }
}

/// Whether one of them is there twice.
pub(super) fn repeats<T: Ord>(all: &[T]) -> bool {
    all.iter().collect::<BTreeSet<_>>().len() < all.len()
}

/// Whether a header may carry an idempotency key: it is named like one (`idempotency-key`, `x-request-id`), so it is none of
/// those that mean something to HTTP, to a proxy or to whoever reads cookies.
pub(super) fn is_key_header(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    name.bytes().all(good)
        && !name.starts_with('-')
        && (name.ends_with("-key") || name.ends_with("-id"))
        && !["sec-", "proxy-", "content-"].iter().any(|prefix| name.starts_with(prefix))
}

/// Whether a parameter can be called so; its name stands in bodies and queries.
pub(super) fn is_parameter(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !name.is_empty() && name.len() <= 64 && name.bytes().all(good)
}

pub(super) fn is_name(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    !name.is_empty() && name.len() <= 64 && name.bytes().all(good)
}
