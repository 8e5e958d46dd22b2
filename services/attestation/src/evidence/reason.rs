//! Why evidence is refused, as stable codes for the operator's log and for a policy's shadow rules.

use serde::{Deserialize, Serialize};

// No derive: here a code is written once, for the log and for the policy.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// One reason for not believing evidence. Operators see it; the phone never does.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Reason {
            $($(#[$doc])* #[serde(rename = $code)] $name,)*
        }

        impl Reason {
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
        }
    };
}

reasons! {
    /// Not the number of certificates that any genuine chain has, or larger than any.
    ChainSize = "chain.size",
    /// A certificate is not a certificate.
    CertificateMalformed = "chain.certificate_malformed",
    /// A certificate does not name its successor as issuer.
    IssuerMismatch = "chain.issuer_mismatch",
    /// A signature is wrong.
    SignatureInvalid = "chain.signature_invalid",
    /// A signature is made with an algorithm that is not known here, or not allowed for its key: not understood, and no lie.
    SignatureUnknown = "chain.signature_unknown",
    /// The chain does not end at a pinned public key.
    RootUntrusted = "chain.root_untrusted",
    /// The certificates are genuine but not in the order and number that a device sends.
    ShapeUnknown = "chain.shape_unknown",
    /// A certificate is not valid yet.
    NotYetValid = "chain.not_yet_valid",
    /// A certificate that must not be used after its time was.
    Expired = "chain.expired",
    /// A serial number is on the status list.
    Revoked = "chain.revoked",
    /// A certificate above the attesting one may not sign certificates.
    NotAuthority = "chain.not_authority",

    /// The attestation extension is missing, doubled, or present above the leaf.
    ExtensionMisplaced = "android.extension_misplaced",
    /// The attestation extension is not a key description that can be read.
    ExtensionMalformed = "android.extension_malformed",
    /// A BOOLEAN in it is true by another octet than FF (some genuine devices; a note).
    BooleanNotDer = "android.boolean_not_der",
    /// Its tags do not ascend (some genuine devices; a note).
    TagsUnordered = "android.tags_unordered",
    /// The challenge is not ours.
    ChallengeMismatch = "evidence.challenge_mismatch",
    /// The attested key is not the device key of the request.
    KeyMismatch = "evidence.key_mismatch",
    /// The attested key is not a P-256 key.
    KeyType = "evidence.key_type",
    /// Not as well protected as the policy asks.
    LevelTooLow = "evidence.level_too_low",
    AppMismatch = "evidence.app_mismatch",
    /// A build that is no longer allowed.
    BuildRefused = "evidence.build_refused",
    /// The evidence proves another build than the request names.
    BuildMismatch = "evidence.build_mismatch",
    /// This evidence, or the key in it, has been used before.
    Reused = "evidence.reused",
    /// This instance lied before ([`Reason::is_lie`]), and is given decoys until an operator pardons it.
    Sticky = "instance.decoyed",
    /// The last evidence of this instance was refused: there is nothing to renew until it attests anew.
    NotBelieved = "instance.not_believed",
    /// It enrolled before evidence was kept, so that only its level and build are judged anew (a note).
    EvidenceNotKept = "instance.evidence_not_kept",
    /// The policy has nothing about this platform.
    PlatformUnsupported = "policy.platform_unsupported",

    /// Attestation and `KeyMint` levels differ, or the chain is of another level than the key.
    LevelInconsistent = "android.level_inconsistent",
    /// An attestation version below the floor.
    VersionTooOld = "android.version_too_old",
    /// The key was imported or derived, not generated in the hardware.
    OriginNotGenerated = "android.origin_not_generated",
    /// The key may do more, or less, than sign with SHA-256.
    KeyUse = "android.key_use",
    /// The key is for all applications.
    AllApplications = "android.all_applications",
    /// The hardware says nothing of how the device booted.
    RootOfTrustMissing = "android.root_of_trust_missing",
    /// The bootloader is unlocked.
    DeviceUnlocked = "android.device_unlocked",
    /// The system that booted is not the maker's.
    BootUnverified = "android.boot_unverified",
    /// The verified boot key is all zeros (some genuine devices; a note).
    BootKeyZero = "android.boot_key_zero",
    /// Signed by another developer.
    SignerMismatch = "android.signer_mismatch",
    /// The patch level is missing or below the floor.
    PatchTooOld = "android.patch_too_old",
    /// A patch level that does not exist yet.
    PatchInFuture = "android.patch_in_future",
    /// By the device's clock, the key was not made just now. In shadow by default: the challenge proves that it was.
    CreationTime = "android.creation_time",
    /// Its attestation key has enrolled as many instances today as the policy allows.
    EnrolmentLimit = "android.enrolment_limit",
    /// The attesting key did not come to the device by the way that the policy asks for. In shadow by default: some genuine phones have
    /// factory keys beside the remote ones.
    ProvisioningRefused = "android.provisioning",
    /// The attesting certificate is older than that of any phone that was still updated when the attestation version came.
    CertificateTooOld = "android.certificate_too_old",
    /// The root of trust has no boot hash, which all have since attestation version 3.
    BootHashMissing = "android.boot_hash_missing",
    /// There is no module hash, which the system hands to every `KeyMint` since attestation version 400.
    ModuleHashMissing = "android.module_hash_missing",
    /// More attestation certificates were issued to this device than a person's phone needs.
    CertificateFarm = "android.certificate_farm",

    /// The object is not the CBOR of App Attest. Nobody has signed its frame.
    ObjectMalformed = "apple.object_malformed",
    /// Nonce or signature are good, but the authenticator data that they cover cannot be read: not understood, and no lie.
    AuthDataUnreadable = "apple.auth_data_unreadable",
    /// There are fields that this version does not know (a note): it may be time to learn what a new iOS tells.
    UnknownField = "apple.unknown_field",
    /// The nonce extension is missing or not made from this object and challenge.
    NonceMismatch = "apple.nonce_mismatch",
    /// Key id, credential id and public key do not belong together.
    KeyIdMismatch = "apple.key_id_mismatch",
    /// The counter of a new key is not zero.
    CounterNotZero = "apple.counter_not_zero",
    /// Development key in production or the other way round.
    EnvironmentMismatch = "apple.environment_mismatch",
    /// The build came to the device by a way that the policy does not allow (iOS 27).
    ValidationCategory = "apple.validation_category",
    /// Apple's certificate names a system that the policy does not let in: a Mac, say, with the app of an iPad.
    PlatformRefused = "apple.platform",
    /// A Mac whose key is not held to Full Security.
    MacSecurity = "apple.mac_security",
    /// An extension of Apple's certificate cannot be read (a note): it may be time to learn what a new iOS tells.
    LeafUnreadable = "apple.leaf_unreadable",
    /// iOS no longer tells of the build, and has told before.
    MapMissing = "apple.map_missing",
    /// The assertion's counter has been seen.
    CounterReplayed = "apple.counter_replayed",
    /// The assertion is missing, or of a key that this instance does not have.
    AssertionMissing = "apple.assertion_missing",
}

impl Reason {
    /// Whether only a phone that lies gives this reason: it shows what is forged, foreign or contradicts itself. A lie sticks. The others
    /// are judged anew next time, at enrolment as at renewal: thresholds, builds, clocks and times, which another day or another policy
    /// settles; what is signed and not understood; a phone that its owner unlocked, whose hardware says so; what was refused before; and
    /// what comes over an honest phone from outside, such as a network that holds a request back until the next one has arrived (a counter
    /// that no longer rises).
    ///
    /// A build that differs from the request's is none: the app names it, the system proves it, and an app that is built wrong would make a
    /// liar of every phone. Nor is a revoked certificate: it is somebody's word about a batch of phones, which may be taken back, and which a list may
    /// have wrong.
    pub const fn is_lie(self) -> bool {
        !matches!(
            self,
            Self::NotYetValid
                | Self::Expired
                | Self::Revoked
                | Self::ShapeUnknown
                | Self::SignatureUnknown
                | Self::RootOfTrustMissing
                | Self::DeviceUnlocked
                | Self::BootUnverified
                | Self::KeyType
                | Self::ExtensionMalformed
                | Self::AuthDataUnreadable
                | Self::LeafUnreadable
                | Self::LevelTooLow
                | Self::BuildRefused
                | Self::BuildMismatch
                | Self::VersionTooOld
                | Self::PatchTooOld
                | Self::PatchInFuture
                | Self::CreationTime
                | Self::ProvisioningRefused
                | Self::CertificateTooOld
                | Self::BootHashMissing
                | Self::ModuleHashMissing
                | Self::CertificateFarm
                | Self::EnrolmentLimit
                | Self::ValidationCategory
                | Self::MapMissing
                | Self::PlatformRefused
                | Self::MacSecurity
                | Self::CounterReplayed
                | Self::PlatformUnsupported
                | Self::NotBelieved
        )
    }

    /// Whether production may put the rule in shadow: thresholds and freshness only. All else is what the evidence's meaning rests
    /// on: signatures and roots; challenge, key and app (and verified boot, without which the app is anybody's word); counters.
    pub const fn may_be_shadowed(self) -> bool {
        matches!(
            self,
            Self::LevelTooLow
                | Self::BuildRefused
                | Self::VersionTooOld
                | Self::PatchTooOld
                | Self::PatchInFuture
                | Self::CreationTime
                | Self::ProvisioningRefused
                | Self::CertificateTooOld
                | Self::BootHashMissing
                | Self::ModuleHashMissing
                | Self::CertificateFarm
                | Self::EnrolmentLimit
                | Self::ValidationCategory
                | Self::MapMissing
                | Self::PlatformRefused
                | Self::MacSecurity
        )
    }
}
