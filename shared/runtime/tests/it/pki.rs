//! Certificates for the tests: a public and an internal authority, and one that nobody trusts.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};

/// A folder with authorities and certificates, removed at the end.
pub(crate) struct Pki {
    dir: PathBuf,
    public: Issuer<'static, KeyPair>,
    internal: Issuer<'static, KeyPair>,
    foreign: Issuer<'static, KeyPair>,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("runtime-it-{}", crypto::random::token(9)));
        fs::create_dir(&dir).unwrap();
        let [public, internal, foreign] = ["public", "internal", "foreign"].map(|name| authority(&dir, name));
        Self { dir, public, internal, foreign }
    }

    /// Certificate and key for `localhost` under the public authority.
    pub(crate) fn public(&self) -> (PathBuf, PathBuf) {
        self.issue("localhost", &self.public, &[])
    }

    /// Certificate and key with these URI SANs under the internal authority.
    pub(crate) fn internal(&self, file: &str, uris: &[&str]) -> (PathBuf, PathBuf) {
        self.issue(file, &self.internal, uris)
    }

    /// As [`Pki::internal`], under an authority that nobody trusts.
    pub(crate) fn foreign(&self, file: &str, uris: &[&str]) -> (PathBuf, PathBuf) {
        self.issue(file, &self.foreign, uris)
    }

    pub(crate) fn authority(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}-ca.pem"))
    }

    fn issue(&self, file: &str, issuer: &Issuer<'static, KeyPair>, uris: &[&str]) -> (PathBuf, PathBuf) {
        let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        for uri in uris {
            parameters.subject_alt_names.push(SanType::URI((*uri).try_into().unwrap()));
        }
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, issuer).unwrap();
        let paths = (self.dir.join(format!("{file}.crt")), self.dir.join(format!("{file}.key")));
        fs::write(&paths.0, certificate.pem()).unwrap();
        private(&paths.1, &key.serialize_pem());
        paths
    }
}

impl Drop for Pki {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.dir).ok();
    }
}

fn authority(dir: &Path, name: &str) -> Issuer<'static, KeyPair> {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    fs::write(dir.join(format!("{name}-ca.pem")), certificate.pem()).unwrap();
    Issuer::new(parameters, key)
}

fn private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}
