//! The examiner: the pure verifiers of [`crate::evidence`] with this deployment's trust, policy and revocation list.
//!
//! Invariants: production trusts the pinned keys of Google and Apple and nothing else, demands a revocation list, and does not judge
//! Android evidence by one that is too old or from the future; a list that cannot be read, or has lost most of its entries, never replaces
//! one that could and had. What stays grows old; who knows that the short one is right restarts the service.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail, ensure};
use api::attestation::Platform;
use api::{AppId, Build, ClientId};
use identity::Level;
use runtime::Shutdown;

use crate::alarm::{self, Alarm};
use crate::attestations::Presented;
use crate::config::{Mode, Policy, Revocation};
use crate::error::Error;
use crate::evidence::android::Provisioning;
use crate::evidence::apple::Asserted;
use crate::evidence::chain::Anchors;
use crate::evidence::policy::{AndroidPolicy, AppleEnvironment, ApplePolicy};
use crate::evidence::revocation::{LIST_LIMIT, StatusList};
use crate::evidence::{Examination, Failed, Reason, android, apple, broken};
use crate::verdicts::Verdict;

/// Seconds that the clock which dated the list may be ahead of ours.
const LIST_AHEAD: i64 = 60;

/// Evidence, decoded but not parsed.
pub(crate) enum DecodedEvidence {
    /// DER certificates, leaf first.
    Android { chain: Vec<Vec<u8>> },
    /// App Attest.
    Apple { key_id: Vec<u8>, object: Vec<u8> },
}

impl DecodedEvidence {
    /// As it is kept.
    pub(crate) fn parts(&self) -> Vec<Vec<u8>> {
        match self {
            Self::Android { chain } => chain.clone(),
            Self::Apple { object, .. } => vec![object.clone()],
        }
    }
}

pub(crate) struct Examiner {
    mode: Mode,
    google: Anchors,
    apple: Anchors,
    android_policy: Option<AndroidPolicy>,
    apple_policy: Option<ApplePolicy>,
    revocation: Revocation,
    revoked: RwLock<Revoked>,
}

/// The list, and when it was fetched (Unix seconds).
#[derive(Clone, Default)]
struct Revoked {
    list: Arc<StatusList>,
    /// The longest of those that were taken so far, which the next is measured by, so that it is not lost by halves.
    longest: Arc<StatusList>,
    fetched: i64,
    stamp: Option<Stamp>,
}

/// By what one file is told from the next: to the last digit that the file system keeps, for two lists may come within a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    size: u64,
}

impl Examiner {
    /// Loads roots and list; refuses a configuration that contradicts its mode.
    pub(crate) fn load(policy: &Policy, revocation: &Revocation) -> anyhow::Result<Self> {
        if policy.mode == Mode::Production {
            fit_for_production(policy, revocation)?;
        }
        if let Some(android) = &policy.android {
            let floor = &android.minimum_build;
            ensure!(floor.is_version_code(), "policy.android.minimum_build = \"{floor}\" is no longVersionCode");
        }
        let revoked = match &revocation.file {
            Some(file) => read_list(file, revocation.minimum_entries)?,
            None => Revoked::default(),
        };
        if policy.mode == Mode::Production && policy.android.is_some() && revoked.list.is_empty() {
            alarm::raise(Alarm::EntriesLost, "it is empty, and Google's never was");
        }
        Ok(Self {
            mode: policy.mode,
            google: with_test_roots(Anchors::google()?, &policy.test_roots.android)?,
            apple: with_test_roots(Anchors::apple()?, &policy.test_roots.apple)?,
            android_policy: policy.android.clone(),
            apple_policy: policy.apple.clone(),
            revocation: revocation.clone(),
            revoked: RwLock::new(revoked),
        })
    }

    /// The OAuth clients that are apps.
    pub(crate) fn clients(&self) -> Vec<&ClientId> {
        let android = self.android_policy.iter().map(|policy| &policy.client_id);
        android.chain(self.apple_policy.iter().map(|policy| &policy.client_id)).collect()
    }

    /// Whether evidence of this platform can be judged now.
    pub(crate) fn ready(&self, platform: Platform, now: i64) -> Result<(), Error> {
        let limit = i64::from(self.revocation.maximum_age_hours) * 3600;
        let age = now.saturating_sub(self.revoked().fetched);
        let stale = age > limit || age < -LIST_AHEAD;
        if platform == Platform::Android && stale && self.mode == Mode::Production {
            return Err(Error::RevocationStale);
        }
        Ok(())
    }

    /// Examines evidence about a request.
    pub(crate) fn examine(&self, given: &DecodedEvidence, presented: &Presented, now: i64) -> Examination {
        let build = Some(&presented.app.build);
        match (given, &self.android_policy, &self.apple_policy) {
            (DecodedEvidence::Android { chain }, Some(policy), _) => {
                let device_key = presented.device_key.public_key().as_uncompressed();
                let expected = android::Expected { challenge: &presented.binding, device_key, build };
                let revoked = self.revoked().list;
                let trust = android::Trust { anchors: &self.google, revoked: &revoked, policy };
                let mut found = android::examine(chain, &expected, &trust, now);
                same_app(&mut found, presented, &policy.package, &policy.client_id);
                found
            }
            (DecodedEvidence::Apple { key_id, object }, _, Some(policy)) => {
                let expected = apple::Expected { client_data_hash: &presented.binding, key_id, build };
                let mut found = apple::examine(object, &expected, &apple::Trust { anchors: &self.apple, policy }, now);
                same_app(&mut found, presented, &policy.bundle, &policy.client_id);
                found
            }
            (DecodedEvidence::Android { .. }, None, _) => Examination::refused(Level::Tee, Reason::PlatformUnsupported),
            (DecodedEvidence::Apple { .. }, _, None) => {
                Examination::refused(Level::SecureEnclave, Reason::PlatformUnsupported)
            }
        }
    }

    /// Verifies an App Attest assertion about a request.
    pub(crate) fn assertion(
        &self,
        object: &[u8],
        key: &[u8; 65],
        has_shown_map: bool,
        presented: &Presented,
    ) -> Result<Asserted, Failed> {
        let policy = self.apple_policy.as_ref().ok_or(Reason::PlatformUnsupported)?;
        let expected = apple::ExpectedAssertion {
            client_data_hash: &presented.binding,
            build: Some(&presented.app.build),
            has_shown_map,
        };
        apple::verify_assertion(object, key, &expected, policy)
    }

    /// What is thought of the number of instances that one attestation key has enrolled today.
    pub(crate) fn enrolments(&self, found: &Examination, today: u32) -> Failed {
        let (Some(policy), Some(provisioning), Some(key)) = (&self.android_policy, found.provisioning, found.attesting)
        else {
            return Failed::default();
        };
        let limit = match provisioning {
            Provisioning::Factory => policy.daily_enrolments.factory,
            Provisioning::Remote => policy.daily_enrolments.remote,
        };
        if limit == 0 || today <= limit {
            return Failed::default();
        }
        if today == limit + 1 {
            alarm::raise(Alarm::EnrolmentLimit, &format!("{limit} in a day by the key {}", crypto::b64::encode(&key)));
        }
        Failed::sort(vec![Reason::EnrolmentLimit], &policy.shadow)
    }

    /// What today's list and policy say of an instance that was let in before: of the evidence that it was let in for, and of the level and
    /// build that it has shown. None of it is a lie, for the instance has said nothing since.
    pub(crate) fn reexamine(
        &self,
        platform: Platform,
        level: Level,
        build: &Build,
        kept: Option<&[Vec<u8>]>,
    ) -> Failed {
        let (minimum_level, minimum_build, shadow) = match (platform, &self.android_policy, &self.apple_policy) {
            (Platform::Android, Some(policy), _) => (policy.minimum_level, &policy.minimum_build, &policy.shadow),
            (Platform::Ios, _, Some(policy)) => (Level::SecureEnclave, &policy.minimum_build, &policy.shadow),
            _ => return Reason::PlatformUnsupported.into(),
        };
        let rules =
            [(level >= minimum_level, Reason::LevelTooLow), (build.at_least(minimum_build), Reason::BuildRefused)];
        let mut failed = Failed::sort(broken(rules), shadow);
        let Some(parts) = kept else { return failed };
        if let (Platform::Android, Some(policy)) = (platform, &self.android_policy) {
            let revoked = self.revoked().list;
            let trust = android::Trust { anchors: &self.google, revoked: &revoked, policy };
            failed.merge(android::reexamine(parts, &trust));
        }
        if let (Platform::Ios, Some(policy)) = (platform, &self.apple_policy) {
            // Default: no object, which is refused as malformed.
            let object = parts.first().map_or(&[][..], Vec::as_slice);
            failed.merge(apple::reexamine(object, &apple::Trust { anchors: &self.apple, policy }));
        }
        failed
    }

    /// The level that tokens show. A decoy shows no level that a genuine token cannot have.
    pub(crate) fn shown(&self, verdict: &Verdict, platform: Platform) -> Level {
        let minimum = match (platform, &self.android_policy) {
            (Platform::Ios, _) => Level::SecureEnclave,
            (Platform::Android, Some(policy)) if policy.shadow.contains(&Reason::LevelTooLow) => Level::Software,
            (Platform::Android, Some(policy)) => policy.minimum_level,
            (Platform::Android, None) => Level::Tee,
        };
        if verdict.is_genuine() { verdict.level } else { verdict.level.max(minimum) }
    }

    /// Looks at the list's file until the process ends; on a thread that may block, for a list is large and files are slow.
    pub(crate) async fn keep_fresh(self: Arc<Self>, shutdown: Shutdown) -> anyhow::Result<()> {
        let pause = Duration::from_secs(u64::from(self.revocation.reload_seconds.max(1)));
        while shutdown.pause(pause).await {
            let examiner = Arc::clone(&self);
            if let Err(error) = tokio::task::spawn_blocking(move || examiner.reload()).await {
                alarm::raise(Alarm::ListUnreadable, &error.to_string());
            }
        }
        Ok(())
    }

    fn reload(&self) {
        let Some(file) = &self.revocation.file else { return };
        if stamp(file).is_ok_and(|stamp| Some(stamp) == self.revoked().stamp) {
            return;
        }
        let longest = self.revoked().longest;
        match read_list(file, self.revocation.minimum_entries) {
            Ok(fresh) if !fresh.list.follows(&longest) => {
                let (before, after) = (longest.len(), fresh.list.len());
                let detail = "most entries are gone; the last good one stays (restart to take this one)";
                alarm::raise(Alarm::EntriesLost, &format!("{before} entries became {after}: {detail}"));
            }
            Ok(mut fresh) => {
                if fresh.list.len() < longest.len() {
                    fresh.longest = longest;
                }
                tracing::info!(entries = fresh.list.len(), "revocation list read");
                *self.revoked.write().unwrap_or_else(PoisonError::into_inner) = fresh;
            }
            Err(error) => alarm::raise(Alarm::ListUnreadable, &format!("the last good one stays: {error:#}")),
        }
    }

    fn revoked(&self) -> Revoked {
        self.revoked.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// App and client that the request names are those that the policy (and so the evidence) is about.
fn same_app(found: &mut Examination, presented: &Presented, app_id: &AppId, client_id: &ClientId) {
    let same = presented.app.id == *app_id && presented.client_id == *client_id;
    if !same && !found.refusals.contains(&Reason::AppMismatch) {
        found.refusals.push(Reason::AppMismatch);
    }
}

fn fit_for_production(policy: &Policy, revocation: &Revocation) -> anyhow::Result<()> {
    let test_roots = policy.test_roots.android.len() + policy.test_roots.apple.len();
    ensure!(
        test_roots == 0,
        "policy.mode = \"production\" trusts no test root, but policy.test_roots names {test_roots}: remove them, or say mode = \"development\""
    );
    ensure!(
        revocation.file.is_some() || policy.android.is_none(),
        "policy.mode = \"production\" needs revocation.file for Android (https://android.googleapis.com/attestation/status)"
    );
    if let Some(apple) = &policy.apple
        && apple.environment != AppleEnvironment::Production
    {
        bail!("policy.mode = \"production\" needs policy.apple.environment = \"production\"");
    }
    let shadow = policy.android.iter().flat_map(|android| &android.shadow);
    let mut shadow = shadow.chain(policy.apple.iter().flat_map(|apple| &apple.shadow));
    if let Some(reason) = shadow.find(|reason| !reason.may_be_shadowed()) {
        bail!("policy.mode = \"production\" does not put \"{}\" in shadow: remove it from the list", reason.code());
    }
    Ok(())
}

fn with_test_roots(anchors: Anchors, files: &[PathBuf]) -> anyhow::Result<Anchors> {
    files.iter().try_fold(anchors, |anchors, file| {
        let pem = std::fs::read_to_string(file).with_context(|| format!("test root {}", file.display()))?;
        tracing::warn!(file = %file.display(), "a test root is trusted: emulated phones are let in");
        anchors.with_pem(&pem).with_context(|| format!("test root {}", file.display()))
    })
}

fn read_list(file: &Path, minimum: usize) -> anyhow::Result<Revoked> {
    let context = || format!("revocation.file {}", file.display());
    // Before the content: if the file changes in between, the next look finds another stamp.
    let stamp = stamp(file).with_context(context)?;
    ensure!(stamp.size <= LIST_LIMIT as u64, "{}: larger than {LIST_LIMIT} bytes", context());
    let fetched = i64::try_from(stamp.modified.duration_since(UNIX_EPOCH).with_context(context)?.as_secs())?;
    let list = StatusList::parse(&std::fs::read(file).with_context(context)?).with_context(context)?;
    let entries = list.len();
    ensure!(entries >= minimum, "{}: {entries} entries, fewer than revocation.minimum_entries ({minimum})", context());
    if list.not_understood() > 0 {
        alarm::raise(
            Alarm::ListOdd,
            &format!("{} of {} entries are not understood and refuse", list.not_understood(), list.len()),
        );
    }
    let list = Arc::new(list);
    Ok(Revoked { longest: Arc::clone(&list), list, fetched, stamp: Some(stamp) })
}

fn stamp(file: &Path) -> anyhow::Result<Stamp> {
    let metadata = std::fs::metadata(file)?;
    Ok(Stamp { modified: metadata.modified()?, size: metadata.len() })
}
