//! `KeyDescription`, the Android Key Attestation extension (OID 1.3.6.1.4.1.11129.2.1.17), as a TEE writes it.
//!
//! The order and the set of tags are those of a Pixel 5 in the genuine samples; a test compares them.

use super::der::{boolean, enumerated, explicit, integer, null, octets, sequence, set};

/// Arcs of the extension's OID.
pub(super) const OID: &[u64] = &[1, 3, 6, 1, 4, 1, 11129, 2, 1, 17];

/// Where the key lives (`SecurityLevel`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityLevel {
    /// No hardware: an emulator.
    Software,
    /// The trusted execution environment.
    TrustedEnvironment,
    /// A secure element of its own.
    StrongBox,
}

impl SecurityLevel {
    fn number(self) -> u64 {
        match self {
            Self::Software => 0,
            Self::TrustedEnvironment => 1,
            Self::StrongBox => 2,
        }
    }
}

/// What the boot loader has found (`VerifiedBootState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boot {
    /// Locked, and the maker's system.
    Verified,
    /// Locked, and a system signed with a key of the owner.
    SelfSigned,
    /// Unlocked: any system.
    Unlocked,
}

/// The values of one key's description.
pub(super) struct KeyDescription<'a> {
    pub(super) version: u64,
    pub(super) level: SecurityLevel,
    pub(super) challenge: &'a [u8],
    pub(super) created_millis: u64,
    pub(super) package: &'a str,
    pub(super) package_version: u64,
    pub(super) signer_digest: &'a [u8; 32],
    pub(super) boot: Boot,
    pub(super) boot_key: [u8; 32],
    pub(super) boot_hash: [u8; 32],
    /// Since version 400.
    pub(super) module_hash: Option<[u8; 32]>,
    pub(super) os_version: u64,
    /// `YYYYMM`; vendor and boot patch levels are the fifth of that month.
    pub(super) patch_level: u64,
}

impl KeyDescription<'_> {
    /// The extension's content.
    pub(super) fn to_der(&self) -> Vec<u8> {
        let level = enumerated(self.level.number());
        sequence(&[
            integer(self.version),
            level.clone(),
            integer(self.version),
            level,
            octets(self.challenge),
            octets(&[]),
            self.software_enforced(),
            self.hardware_enforced(),
        ])
    }

    fn software_enforced(&self) -> Vec<u8> {
        let mut list =
            vec![explicit(701, &integer(self.created_millis)), explicit(709, &octets(&self.application_id()))];
        list.extend(self.module_hash.map(|hash| explicit(724, &octets(&hash))));
        sequence(&list)
    }

    /// `AttestationApplicationId`: which packages share the uid, and who signed them.
    fn application_id(&self) -> Vec<u8> {
        let package = sequence(&[octets(self.package.as_bytes()), integer(self.package_version)]);
        sequence(&[set(&[package]), set(&[octets(self.signer_digest)])])
    }

    fn hardware_enforced(&self) -> Vec<u8> {
        const SIGN: u64 = 2;
        const EC: u64 = 3;
        const SHA_2_256: u64 = 4;
        const P_256: u64 = 1;
        const GENERATED: u64 = 0;
        let patch_day = self.patch_level * 100 + 5;
        sequence(&[
            explicit(1, &set(&[integer(SIGN)])),
            explicit(2, &integer(EC)),
            explicit(3, &integer(256)),
            explicit(5, &set(&[integer(SHA_2_256)])),
            explicit(10, &integer(P_256)),
            explicit(503, &null()),
            explicit(702, &integer(GENERATED)),
            explicit(704, &self.root_of_trust()),
            explicit(705, &integer(self.os_version)),
            explicit(706, &integer(self.patch_level)),
            explicit(718, &integer(patch_day)),
            explicit(719, &integer(patch_day)),
        ])
    }

    fn root_of_trust(&self) -> Vec<u8> {
        let (locked, state) = match self.boot {
            Boot::Verified => (true, 0),
            Boot::SelfSigned => (true, 1),
            Boot::Unlocked => (false, 2),
        };
        sequence(&[octets(&self.boot_key), boolean(locked), enumerated(state), octets(&self.boot_hash)])
    }
}
