//! A captcha, on risk only: whoever tries what too many have failed at lets their browser work for a moment first.
//!
//! What must hold:
//! - below a first number of failures nobody is asked for anything; above a second one more is asked;
//! - a failure is paid for before it is known to be one, and given back if it is none: of many that try at once no more pass unasked than would one
//!   after the other;
//! - failures are counted for what somebody says who they are, whether or not anybody is that, and for the network that they come from; of an
//!   attested device, its own alone are counted: others' failures are nothing to it;
//! - a challenge is good once, for one action, one network and one identifier, and for two minutes;
//! - what costs us something is done last, once for each challenge.
//!
//! Work prices automation; it does not tell people from machines. Where that is wanted, somebody else's captcha is asked instead ([`siteverify`]).

mod budget;
mod gate;
pub mod siteverify;
mod work;

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::rc::Rc;

use actix_web::HttpResponse;
use futures_util::future::LocalBoxFuture;
use identity::Thumbprint;
use serde::{Deserialize, Serialize};

use self::budget::Reserved;
use self::siteverify::{SiteverifyConfig, Vendor};
use crate::Inbound;
use crate::config::Rate;
use crate::rate::AddressPrefix;

pub(crate) use gate::Not;
pub use gate::{Gate, Pending};
pub use work::LIFETIME;

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// To log in.
    LogIn,
    /// To make a login.
    Register,
}

impl Action {
    /// Its name: a challenge for one is none for the other.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LogIn => "login",
            Self::Register => "register",
        }
    }

    /// Iterations of one derivation. Who registers does so once.
    const fn iterations(self) -> NonZeroU32 {
        match self {
            Self::LogIn => NonZeroU32::MIN.saturating_add(1_999),
            Self::Register => NonZeroU32::MIN.saturating_add(3_999),
        }
    }
}

/// Somebody tries something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// What.
    pub action: Action,
    /// Where they come from.
    pub address: IpAddr,
    /// Whom they mean to be: a keyed hash.
    pub identifier: [u8; 32],
    /// The attested device that they use.
    pub instance: Option<Thumbprint>,
}

impl Attempt {
    fn near(&self) -> AddressPrefix {
        AddressPrefix::near(self.address)
    }

    fn network(&self) -> AddressPrefix {
        AddressPrefix::network(self.address)
    }
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// They are who they say.
    Passed,
    /// They are not, or were not let try.
    Failed,
}

/// How much is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Level {
    /// Nothing.
    Nothing,
    /// A captcha.
    Captcha,
    /// One that takes sixteen times as long.
    Harder,
}

/// Why what came does not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
pub enum Reason {
    /// There is none.
    #[strum(serialize = "captcha_missing")]
    Missing,
    /// It is no answer to a challenge of ours.
    #[strum(serialize = "captcha_wrong")]
    Wrong,
    /// It has been used.
    #[strum(serialize = "captcha_replayed")]
    Replayed,
    /// It is too late.
    #[strum(serialize = "captcha_expired")]
    Expired,
    /// It answers a challenge for something else, for somebody else or from elsewhere.
    #[strum(serialize = "captcha_foreign")]
    Foreign,
    /// It answers an easier one than is asked by now.
    #[strum(serialize = "captcha_easy")]
    Easy,
    /// Its vendor takes them for no person.
    #[strum(serialize = "captcha_score")]
    Score,
}

impl Reason {
    /// Its word in the audit log.
    pub fn word(self) -> &'static str {
        self.into()
    }

    /// Whether it happens to honest people.
    pub(crate) const fn is_honest(self) -> bool {
        matches!(self, Self::Missing | Self::Expired | Self::Foreign | Self::Easy)
    }
}

/// What a form says.
pub struct Filled {
    /// What is tried; the address is the layer's to say.
    pub action: Action,
    /// Whom they mean to be: a keyed hash.
    pub identifier: [u8; 32],
    /// The attested device that they use.
    pub instance: Option<Thumbprint>,
    /// The answer to a challenge.
    pub answer: Option<String>,
}

/// The forms of a service: what is in them, and how they look with a challenge.
pub trait Forms: Send + Sync + 'static {
    /// Bytes of a form.
    fn most(&self) -> usize;

    /// Reads a form. None if the handler refuses it before anything is tried; an error, with a word, if that cannot be told.
    fn read<'a>(&'a self, request: &'a Inbound) -> LocalBoxFuture<'a, Result<Option<Filled>, &'static str>>;

    /// The form again, with this widget; none if it has no page.
    fn page<'a>(&'a self, request: &'a Inbound, widget: &'a Widget) -> LocalBoxFuture<'a, Option<HttpResponse>>;
}

/// What a page shows to have an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Widget {
    /// ALTCHA's, with this challenge.
    Work(String),
    /// A vendor's.
    Vendor {
        /// Whose.
        vendor: &'static Vendor,
        /// The public key of our site there.
        site_key: String,
        /// For what its token is to be.
        action: &'static str,
    },
}

/// What the layer has learned of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// By whom and what: the handler settles it.
    pub attempt: Rc<Attempt>,
    /// An answer, of which the work is yet to be looked at.
    pub(crate) pending: Option<Pending>,
    /// What is asked, if something is missing.
    pub(crate) asked: Option<Level>,
    /// What was asked and answered.
    pub(crate) level: Level,
    /// What was taken as the price of a failure, while it is not known what has become of the attempt. One for all who have this.
    pub(crate) reserved: Rc<RefCell<Option<Reserved>>>,
}

impl Tried {
    pub(crate) fn new(attempt: Rc<Attempt>, level: Level) -> Self {
        Self { attempt, pending: None, asked: None, level, reserved: Rc::default() }
    }
}

/// Where nobody knows where a request comes from, all come from the same place.
pub(crate) const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// When a captcha is asked for. A failure takes four units, a login that succeeds one; a login that is made four.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptchaConfig {
    /// File with the key under which challenges are signed (32 bytes, mode 0600); the same for all processes of the service.
    pub key_file: PathBuf,
    /// What there is for one login. Default: 12 an hour, so the fourth try after three failures is asked.
    #[serde(default = "identifier")]
    pub identifier: Rate,
    /// The same, until more is asked. Default: 32 an hour.
    #[serde(default = "identifier_harder")]
    pub identifier_harder: Rate,
    /// What there is for a network (IPv4 /24, IPv6 /48). Default: 80 in ten minutes.
    #[serde(default = "network")]
    pub network: Rate,
    /// The same, until more is asked. Default: 320 in ten minutes.
    #[serde(default = "network_harder")]
    pub network_harder: Rate,
    /// What there is for an attested device, of which nothing else is counted. Default: 40 an hour.
    #[serde(default = "device")]
    pub device: Rate,
    /// The same, until more is asked. Default: 80 an hour.
    #[serde(default = "device_harder")]
    pub device_harder: Rate,
    /// Somebody else's captcha in the place of ours. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub siteverify: Option<SiteverifyConfig>,
}

impl CaptchaConfig {
    /// The defaults, with that key.
    pub fn new(key_file: PathBuf) -> Self {
        Self {
            key_file,
            identifier: identifier(),
            identifier_harder: identifier_harder(),
            network: network(),
            network_harder: network_harder(),
            device: device(),
            device_harder: device_harder(),
            siteverify: None,
        }
    }
}

const HOUR: u32 = 3600;

const fn identifier() -> Rate {
    Rate { units: 12, seconds: HOUR }
}

const fn identifier_harder() -> Rate {
    Rate { units: 32, seconds: HOUR }
}

const fn network() -> Rate {
    Rate { units: 80, seconds: 600 }
}

const fn network_harder() -> Rate {
    Rate { units: 320, seconds: 600 }
}

const fn device() -> Rate {
    Rate { units: 40, seconds: HOUR }
}

const fn device_harder() -> Rate {
    Rate { units: 80, seconds: HOUR }
}
