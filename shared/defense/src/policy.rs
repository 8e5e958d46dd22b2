//! What stands before a route: one policy for each class of routes. A handler's guard says which layers it cannot do without; a route that has
//! fewer does not compile.

use runtime::pages::Reader;

use crate::{LayerId, Needs};
use LayerId::{
    AccessToken, ApiKey, Attestation, Authorization, Captcha, ClientVersion, Host, MessageSignature, RateLimit, Waf,
};

/// What a layer that cannot tell means for a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// The request is refused with 503: nothing has happened, and its sender may come back.
    Refuse,
    /// It goes on.
    Pass,
    /// What this process remembers by itself decides: what was used here is not used again, and what is counted here is bounded. If not even that can
    /// tell, the request is refused.
    Alone,
}

/// Whose budget of failures a refusal is charged to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charged {
    /// Nobody's.
    Nobody,
    /// Of whoever calls from an address with the same API key, or with none: nobody is known here before the handler looks.
    Address,
    /// The device's, once all layers have passed: whoever tries what is others'. What others send in its name costs it nothing.
    Device,
}

/// A class of routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Class {
    /// Its name, in the documentation and in what is counted.
    pub name: &'static str,
    /// The layers, in their order.
    pub layers: &'static [LayerId],
    /// What it means if one cannot tell.
    pub unknown: Unknown,
    /// What a request costs of the rates.
    pub cost: u32,
    /// Whose failure a refusal is.
    pub charged: Charged,
}

impl Class {
    /// Whether a caller is an attested device by the time the request costs something.
    pub(crate) const fn is_attested(&self) -> bool {
        self.has(Attestation)
    }

    /// Whether the memory of this process decides where the one of all cannot tell.
    pub(crate) fn goes_on_alone(&self) -> bool {
        self.unknown != Unknown::Refuse
    }

    /// Whom its routes are for; nobody knows it where there is no route.
    pub(crate) fn reader(&self) -> Option<Reader> {
        if self.is::<Page>() || self.is::<Login>() || self.is::<Factor>() || self.is::<Desk>() {
            return Some(Reader::People);
        }
        (!self.is::<Stray>() && !self.is::<StrayInternal>()).then_some(Reader::Programs)
    }

    /// Whether it is that of this policy.
    pub(crate) fn is<P: Policy>(&self) -> bool {
        *self == P::CLASS
    }

    /// Whether a layer of it looks at bodies, or uses up what is good for one body only.
    pub(crate) fn reads_bodies(&self) -> bool {
        self.layers.iter().any(|layer| layer.needs() == Needs::Body)
    }

    /// Whether it has all of these layers.
    pub const fn covers(&self, wanted: &[LayerId]) -> bool {
        let mut wanted = wanted;
        while let [first, rest @ ..] = wanted {
            if !self.has(*first) {
                return false;
            }
            wanted = rest;
        }
        true
    }

    const fn has(&self, layer: LayerId) -> bool {
        let mut layers = self.layers;
        while let [first, rest @ ..] = layers {
            if *first as u8 == layer as u8 {
                return true;
            }
            layers = rest;
        }
        false
    }
}

/// A policy: the class that it stands for.
pub trait Policy {
    /// It.
    const CLASS: Class;
}

macro_rules! policies {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $unknown:ident, $cost:literal, $charged:ident, [$($layer:ident),*];)*) => {
        $($(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;

        impl Policy for $name {
            const CLASS: Class =
                Class { name: $text, layers: &[$($layer),*], unknown: Unknown::$unknown, cost: $cost, charged: Charged::$charged };
        })*
    };
}

/// What a user's request cannot do without.
pub(crate) const USER: &[LayerId] = &[Attestation, MessageSignature, AccessToken, Authorization];

policies! {
    /// What anybody may read: metadata, public keys, style sheets.
    Metadata = "metadata", Pass, 1, Nobody, [Host, RateLimit];
    /// Pages for people.
    Page = "page", Pass, 1, Nobody, [Host, RateLimit];
    /// Where people log in or register.
    Login = "login", Refuse, 10, Nobody, [Host, RateLimit, Captcha];
    /// Where people show a second factor, change theirs, or approve a payment: what can be guessed there, or copied, is counted.
    Factor = "factor", Refuse, 10, Nobody, [Host, RateLimit];
    /// Where clients get tokens: apps with their API key, servers of partners without.
    Token = "token", Refuse, 5, Address, [Host, ApiKey, ClientVersion, RateLimit];
    /// Where phones prove what they are.
    Challenge = "challenge", Refuse, 5, Address, [Host, ApiKey, ClientVersion, RateLimit, Waf];
    /// What third parties send.
    Webhook = "webhook", Refuse, 1, Address, [Host, RateLimit];
    /// What a user reads.
    Read = "read", Alone, 1, Device, [
        Host, ApiKey, ClientVersion, RateLimit, Attestation, MessageSignature, AccessToken, Waf, Authorization
    ];
    /// What a user changes.
    Money = "money", Refuse, 1, Device, [
        Host, ApiKey, ClientVersion, RateLimit, Attestation, MessageSignature, AccessToken, Waf, Authorization
    ];
    /// What the services of the house and the operator ask.
    Internal = "internal", Refuse, 1, Nobody, [Host];
    /// Pages for the people of the house.
    Desk = "desk", Refuse, 1, Nobody, [Host];
    /// What is asked for where there is nothing, or by a method that is not there.
    Stray = "stray", Pass, 1, Nobody, [Host, RateLimit];
    /// The same between the services of the house.
    StrayInternal = "stray_internal", Refuse, 1, Nobody, [Host];
}
