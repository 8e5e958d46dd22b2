//! The development PKI: every certificate, key and secret that a system on one machine needs, made on first use, never committed.
//!
//! Two authorities that trust nothing of each other: the *public* one signs what phones, browsers and partners see (and is
//! name-constrained, so that a machine which trusts it risks nothing beyond localhost); the *internal* one signs the mTLS
//! identities `spiffe://<trust domain>/<name>`. Two more roots stand in for Google's and Apple's, for emulated phones only.
//!
//! Invariants: a file that exists is never rewritten, so a running system keeps its identity, unless the folder was made of other names than there are
//! now, or ends soon ([`MadeOf`]): then all of it is made anew; private files are created 0600; two processes may call [`Pki::create`] on one folder at once.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use api::service::TRUST_DOMAIN;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, SanType,
    SignatureAlgorithm, date_time_ymd,
};
use system::system;

mod apps;
mod made_of;
mod partner_web;
mod sealing;

use made_of::MadeOf;

/// Browsers and Apple's platforms refuse server certificates that live longer than 825 days.
const LEAF_DAYS: i64 = 820;

/// Certificate and private key of one party, as files.
#[derive(Clone, Debug)]
pub struct Identity {
    /// PEM certificate.
    pub certificate: PathBuf,
    /// PEM private key (PKCS#8), 0600.
    pub key: PathBuf,
}

/// A certificate authority in memory, for emulated phones: a root certificate and its private key.
#[derive(Clone)]
pub struct TestRoot {
    /// The root certificate, in PEM.
    pub certificate_pem: String,
    /// Its private key (PKCS#8).
    pub key_pem: String,
}

/// A folder with the whole development PKI.
pub struct Pki {
    dir: PathBuf,
    temporary: bool,
}

impl Pki {
    /// Makes what is missing in `dir`.
    pub fn create(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir)?;
        // Held until the end of this function: a second process waits and then finds everything made.
        let lock = File::create(dir.join(".lock"))?;
        lock.lock()?;
        MadeOf::now()?.prepare(dir)?;
        for folder in ["public", "internal", "attest", "secrets"] {
            fs::create_dir_all(dir.join(folder))?;
        }
        let pki = Self { dir: dir.to_owned(), temporary: false };
        pki.public_certificates()?;
        pki.internal_certificates()?;
        pki.test_root("google-test-root", TestRoot::google)?;
        pki.test_root("apple-test-root", TestRoot::apple)?;
        pki.secrets()?;
        Ok(pki)
    }

    /// What somebody else has made, or a part of it: nothing is made, and what is missing is missed by whoever reads it.
    pub fn open(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), temporary: false }
    }

    /// A PKI of its own for one test, in a temporary folder that goes away with the value.
    pub fn temporary() -> Result<Self> {
        let dir = std::env::temp_dir().join(format!("redoubt-pki-{}", hex::encode(random::<12>()?)));
        let mut pki = Self::create(&dir)?;
        pki.temporary = true;
        Ok(pki)
    }

    /// The folder with all certificates, keys and secrets.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The public authority's certificate: what phones, browsers and the broker's sandbox provider trust.
    pub fn public_ca(&self) -> PathBuf {
        self.dir.join("public-ca.pem")
    }

    /// The internal authority's certificate: what the mTLS listeners trust.
    pub fn internal_ca(&self) -> PathBuf {
        self.dir.join("internal-ca.pem")
    }

    /// `name`'s certificate on its public listener.
    pub fn public(&self, name: &str) -> Identity {
        self.identity("public", name)
    }

    /// `name`'s mTLS identity `spiffe://<trust domain>/<name>`.
    pub fn internal(&self, name: &str) -> Identity {
        self.identity("internal", name)
    }

    /// The names of all who have an identity inside: the services, and the others of `infra/system.toml`.
    pub fn workloads() -> Result<&'static [String]> {
        Ok(&system()?.workloads)
    }

    /// The file of the secret `name`.
    pub fn secret(&self, name: &str) -> PathBuf {
        self.dir.join("secrets").join(name)
    }

    /// The root that emulated Android phones chain to.
    pub fn google_test_root(&self) -> Result<TestRoot> {
        self.read_root("google-test-root")
    }

    /// The root that emulated iPhones chain to.
    pub fn apple_test_root(&self) -> Result<TestRoot> {
        self.read_root("apple-test-root")
    }

    fn identity(&self, folder: &str, name: &str) -> Identity {
        let folder = self.dir.join(folder);
        Identity { certificate: folder.join(format!("{name}.crt")), key: folder.join(format!("{name}.key")) }
    }

    fn read_root(&self, name: &str) -> Result<TestRoot> {
        let files = self.identity("attest", name);
        Ok(TestRoot {
            certificate_pem: fs::read_to_string(files.certificate)?,
            key_pem: fs::read_to_string(files.key)?,
        })
    }

    fn test_root(&self, name: &str, make: fn() -> Result<TestRoot>) -> Result<()> {
        let files = self.identity("attest", name);
        if files.certificate.exists() {
            return Ok(());
        }
        let root = make()?;
        write(&files.key, root.key_pem.as_bytes(), 0o600)?;
        write(&files.certificate, root.certificate_pem.as_bytes(), 0o644)
    }

    fn public_certificates(&self) -> Result<()> {
        let mut constraints = vec![
            GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([127, 0, 0, 0], 8)),
            GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(IpAddr::V6(Ipv6Addr::LOCALHOST), 128)),
        ];
        // The services with a public listener, and whoever else stands in the table of the system.
        let parties = system()?.public_certificates.iter().map(String::as_str);
        let names = ["localhost", "example", "test"].into_iter().chain(parties.clone());
        constraints.extend(names.map(|name| GeneralSubtree::DnsName(name.to_owned())));
        let constraints = NameConstraints { permitted_subtrees: constraints, excluded_subtrees: vec![] };
        let issuer = self.authority("public-ca", "Redoubt development public CA", Some(constraints))?;
        for name in parties {
            let mut names = vec![
                SanType::DnsName(Ia5String::try_from("localhost")?),
                SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
                SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
            ];
            names.push(SanType::DnsName(Ia5String::try_from(name)?));
            issue(&issuer, &self.public(name), name, names, &[ExtendedKeyUsagePurpose::ServerAuth])?;
        }
        Ok(())
    }

    fn internal_certificates(&self) -> Result<()> {
        let issuer = self.authority("internal-ca", "Redoubt development internal CA", None)?;
        for name in &system()?.workloads {
            let names = vec![
                SanType::URI(Ia5String::try_from(format!("spiffe://{TRUST_DOMAIN}/{name}"))?),
                SanType::DnsName(Ia5String::try_from("localhost")?),
                // For Prometheus, which compares names only: as in infra/k8s/components/mtls.
                SanType::DnsName(Ia5String::try_from(name.as_str())?),
            ];
            let usages = [ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
            issue(&issuer, &self.internal(name), name, names, &usages)?;
        }
        // No workloads: each has a name for its clients to demand, which nobody else's certificate has, and shows its own to nobody.
        for store in ["postgres", "redis"] {
            let name = vec![SanType::DnsName(Ia5String::try_from(store)?)];
            issue(&issuer, &self.internal(store), store, name, &[ExtendedKeyUsagePurpose::ServerAuth])?;
        }
        Ok(())
    }

    /// The authority of that name: read when there, else made.
    fn authority(
        &self,
        name: &str,
        common_name: &str,
        constraints: Option<NameConstraints>,
    ) -> Result<Issuer<'static, KeyPair>> {
        let certificate = self.dir.join(format!("{name}.pem"));
        let key = self.dir.join(format!("{name}.key"));
        if !certificate.exists() {
            let made = root(common_name, &PKCS_ECDSA_P256_SHA256, constraints)?;
            write(&key, made.key_pem.as_bytes(), 0o600)?;
            write(&certificate, made.certificate_pem.as_bytes(), 0o644)?;
        }
        // Only the name and the key of an issuer enter what it signs; so these parameters stand for the certificate on disk.
        Ok(Issuer::new(authority_parameters(common_name, None)?, KeyPair::from_pem(&fs::read_to_string(key)?)?))
    }

    fn secrets(&self) -> Result<()> {
        // Raw bytes: exactly what the services use as keys.
        for name in [
            "attestation-master",
            "attestation-decoy-master",
            "broker-kek",
            "auth-pepper",
            "auth-kek",
            "auth-lookup-key",
            "auth-captcha-key",
            "api-key-pepper",
        ] {
            self.secret_once(name, || Ok(random::<32>()?.to_vec()))?;
        }
        for name in ["auth-signing.pk8", "attestation-answer.pk8", "ledger-sealing.pk8"] {
            self.secret_once(name, || Ok(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?.serialize_der()))?;
        }
        self.secret_once("partner-bearer", || {
            Ok(format!("sandbox_{}", URL_SAFE_NO_PAD.encode(random::<32>()?)).into_bytes())
        })?;
        self.secret_once("partner-webhook-secret", || {
            Ok(format!("whsec_{}", STANDARD.encode(random::<32>()?)).into_bytes())
        })?;
        self.sealing_key()?;
        self.apps()?;
        self.partner_web_key()
    }

    fn secret_once(&self, name: &str, make: impl FnOnce() -> Result<Vec<u8>>) -> Result<()> {
        let path = self.secret(name);
        if path.exists() { Ok(()) } else { write(&path, &make()?, 0o600) }
    }
}

impl Drop for Pki {
    fn drop(&mut self) {
        if self.temporary {
            // A folder left behind in the temporary directory is no reason to fail a test.
            drop(fs::remove_dir_all(&self.dir));
        }
    }
}

impl TestRoot {
    /// A root in the place of Google's hardware attestation root (P-384, as the one of 2025).
    pub fn google() -> Result<Self> {
        root("Redoubt Test Key Attestation Root", &PKCS_ECDSA_P384_SHA384, None)
    }

    /// A root in the place of Apple's App Attestation Root CA (P-384, as the original).
    pub fn apple() -> Result<Self> {
        root("Redoubt Test App Attestation Root CA", &PKCS_ECDSA_P384_SHA384, None)
    }
}

fn root(
    common_name: &str,
    algorithm: &'static SignatureAlgorithm,
    constraints: Option<NameConstraints>,
) -> Result<TestRoot> {
    let key = KeyPair::generate_for(algorithm)?;
    let certificate = authority_parameters(common_name, constraints)?.self_signed(&key)?;
    Ok(TestRoot { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
}

fn authority_parameters(common_name: &str, constraints: Option<NameConstraints>) -> Result<CertificateParams> {
    let mut parameters = CertificateParams::new(Vec::new())?;
    validity(&mut parameters, 3650)?;
    parameters.distinguished_name.push(DnType::CommonName, common_name);
    parameters.distinguished_name.push(DnType::OrganizationName, "Redoubt development");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    parameters.name_constraints = constraints;
    Ok(parameters)
}

/// Issues `to` unless it is there.
fn issue(
    issuer: &Issuer<'_, KeyPair>,
    to: &Identity,
    common_name: &str,
    names: Vec<SanType>,
    usages: &[ExtendedKeyUsagePurpose],
) -> Result<()> {
    if to.certificate.exists() {
        return Ok(());
    }
    let mut parameters = CertificateParams::new(Vec::new())?;
    validity(&mut parameters, LEAF_DAYS)?;
    parameters.distinguished_name.push(DnType::CommonName, common_name);
    parameters.subject_alt_names = names;
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.use_authority_key_identifier_extension = true;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = usages.to_vec();
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = parameters.signed_by(&key, issuer)?;
    write(&to.key, key.serialize_pem().as_bytes(), 0o600)?;
    write(&to.certificate, certificate.pem().as_bytes(), 0o644)
}

#[expect(clippy::disallowed_methods, reason = "TLS compares with the machine's own clock")]
fn validity(parameters: &mut CertificateParams, days: i64) -> Result<()> {
    let now = DateTime::<Utc>::from(SystemTime::now());
    let day = |date: DateTime<Utc>| -> Result<_> {
        Ok(date_time_ymd(date.year(), u8::try_from(date.month())?, u8::try_from(date.day())?))
    };
    parameters.not_before = day(now - TimeDelta::days(1))?;
    parameters.not_after = day(now + TimeDelta::days(days))?;
    Ok(())
}

/// Writes beside and renames, so that nobody ever reads half a file; the mode is set when the file is made, not after.
fn write(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    let partial = path.with_added_extension("partial");
    drop(fs::remove_file(&partial));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&partial)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&partial, path).with_context(|| format!("cannot write {}", path.display()))
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_second_run_changes_nothing_and_repairs_what_is_missing() {
        let pki = Pki::temporary().unwrap();
        let ledger = pki.internal("ledger");
        let before = fs::read(&ledger.certificate).unwrap();
        let kek = fs::read(pki.secret("broker-kek")).unwrap();
        fs::remove_file(pki.internal("broker").certificate).unwrap();
        drop(Pki::create(pki.dir()).unwrap());
        assert_eq!(fs::read(&ledger.certificate).unwrap(), before);
        assert_eq!(fs::read(pki.secret("broker-kek")).unwrap(), kek);
        assert!(pki.internal("broker").certificate.exists());
    }

    #[test]
    fn private_files_are_readable_by_their_owner_only() {
        let pki = Pki::temporary().unwrap();
        let mut private = vec![pki.public("auth").key, pki.internal("auth").key, pki.dir().join("public-ca.key")];
        private.extend(fs::read_dir(pki.dir().join("secrets")).unwrap().map(|entry| entry.unwrap().path()));
        assert!(private.len() > 10);
        for path in private {
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
        }
    }

    #[test]
    fn the_folder_of_a_temporary_pki_goes_away() {
        let pki = Pki::temporary().unwrap();
        let dir = pki.dir().to_owned();
        drop(pki);
        assert!(!dir.exists());
    }
}
