//! What a log is made of: payments, what happens at doors, and numbers without a pattern.

use runtime::Clock as _;
use serde_json::{Value, json};

use crate::world::World;

pub(super) const HOUR: u64 = 3_600;
pub(super) const DAY: u64 = 24 * HOUR;
/// So long ago it begins.
pub(super) const BEGINNING: u64 = 120 * DAY;

/// Numbers without a pattern, the same in every run (`SplitMix64`).
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    pub(super) fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    /// One of these.
    pub(super) fn of<T: Copy>(&mut self, these: &[T]) -> T {
        these[usize::try_from(self.below(these.len().try_into().unwrap())).unwrap()]
    }
}

/// A payment that will be told of.
#[derive(Clone)]
pub(super) struct Payment {
    /// Seconds before the last Monday.
    pub(super) ago: u64,
    pub(super) user: String,
    pub(super) payee: String,
    /// In hundredths.
    pub(super) amount: u64,
    /// So much later than it happened it is told.
    pub(super) late: u64,
}

/// Something that happened at a user's door and will be told.
pub(super) struct Noticed {
    /// As of a payment.
    pub(super) ago: u64,
    pub(super) user: String,
    pub(super) late: u64,
    pub(super) kind: &'static str,
    /// The device that is enrolled, what has become of a second factor, or that a login was on a device that was known.
    pub(super) detail: String,
    /// How well the device's key is kept.
    pub(super) level: &'static str,
}

/// At the beginning of a week, so that the hours and days are the same in every run.
fn monday(world: &World) -> i64 {
    let now = world.clock.unix_millis() / 1000;
    // 1970-01-05 was one.
    let week = i64::try_from(7 * DAY).unwrap();
    now - (now - i64::try_from(4 * DAY).unwrap()).rem_euclid(week)
}

impl Payment {
    pub(super) fn event(&self, world: &World) -> Value {
        let Self { ago, user, payee, amount, .. } = self;
        let (whole, hundredths) = (amount / 100, amount % 100);
        let (currency, amount) = match user.len() % 5 {
            1 => ("JPY", format!("{whole}")),
            2 => ("USD", format!("{whole}.{hundredths:02}")),
            3 => ("KWD", format!("{whole}.{hundredths:02}5")),
            _ => ("EUR", format!("{whole}.{hundredths:02}")),
        };
        let at = monday(world) - i64::try_from(*ago).unwrap();
        json!({
            "kind": "payment", "id": world.id(), "at_unix_millis": at * 1000 + 999, "user": user, "payee": payee, "amount": amount, "currency": currency,
        })
    }
}

impl Noticed {
    pub(super) fn event(&self, world: &World) -> Value {
        let at = monday(world) - i64::try_from(self.ago).unwrap();
        let mut event = json!({ "kind": self.kind, "id": world.id(), "at_unix_millis": at * 1000, "user": self.user });
        match self.kind {
            "device" => {
                event["device"] = json!(self.detail);
                event["level"] = json!(self.level);
            }
            "login" => event["known_device"] = json!(self.detail == "known_device"),
            "second_factor" => event["change"] = json!(self.detail),
            _ => {}
        }
        if matches!(self.kind, "login" | "failed_login" | "seen") {
            event["place"] = json!({ "country": if self.ago.is_multiple_of(2) { "DE" } else { "SG" }, "network": format!("{:016x}", self.ago % 9) });
        }
        event
    }
}
