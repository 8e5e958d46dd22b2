//! What happens at the doors of those who pay: just within each bound, just beyond it, and late; and from somewhere.

use super::told::{BEGINNING, DAY, HOUR, Noticed, Numbers, Payment};

const LEVELS: [&str; 3] = ["software", "tee", "secure_element"];
const CHANGES: [&str; 3] = ["added", "removed", "recovered"];
/// Whose hours with a login are counted, each with so many after the first.
const OWLS: [u64; 3] = [24, 25, 27];

/// What the app of a user on this device is called.
pub(super) fn device(user: &str, n: u64) -> String {
    format!("{user}-device-{n}")
}

/// Payments of those to whom so much happens that not all of it is remembered.
pub(super) fn payments(payments: &mut Vec<Payment>) {
    let mut paid = |user: &str, ago: u64, late: u64| {
        payments.push(Payment { ago, user: user.into(), payee: "shop-2".into(), amount: 4_000, late });
    };
    for n in 0..24 {
        // One in three is told when much has happened since.
        paid("besieged", 52 * DAY - n * 3 * HOUR, n % 3 / 2 * 20 * HOUR);
        paid("sleepless", 72 * DAY - n * 3 * HOUR - 7, n % 3 / 2 * 30 * HOUR);
        paid("tinkerer", 90 * DAY - n * 2 * DAY, n % 3 / 2 * 9 * DAY);
        paid("settled", 30 * DAY - n * DAY, 0);
    }
    // When all of it has been told.
    for n in 0..8 {
        paid("besieged", 49 * DAY - n * HOUR, 0);
        paid("sleepless", 69 * DAY - n * HOUR, 0);
    }
    for (hours, day) in OWLS.into_iter().zip(60..) {
        // A day after the first login, to the second, and told when the last has been.
        paid(&owl(hours), (day - 1) * DAY, 6 * HOUR);
        paid(&owl(hours), (day - 1) * DAY - 1, 6 * HOUR);
    }
}

fn owl(hours: u64) -> String {
    format!("owl-{hours}")
}

/// In the order in which it is told.
pub(super) fn noticed(payments: &[Payment]) -> Vec<Noticed> {
    let mut door = Door { numbers: Numbers(13), all: Vec::new() };
    for payment in payments.iter().filter(|payment| payment.user.starts_with("person-")) {
        door.before(payment);
    }
    for user in 0..25 {
        door.devices(&format!("person-{user}"), user % 7, BEGINNING - 10 * DAY);
    }
    door.devices("tinkerer", 40, 95 * DAY);
    door.devices("collector", 24, 100 * DAY);
    door.of_many();
    let mut all = door.all;
    all.sort_by_key(|noticed| noticed.ago - noticed.late);
    all.reverse();
    all
}

struct Door {
    numbers: Numbers,
    all: Vec<Noticed>,
}

impl Door {
    fn push(&mut self, user: &str, kind: &'static str, ago: u64, detail: String) {
        let late = if self.numbers.one_in(8) { self.numbers.below(20 * DAY).min(ago) } else { 0 };
        self.push_late(user, kind, ago, detail, late);
    }

    fn push_late(&mut self, user: &str, kind: &'static str, ago: u64, detail: String, late: u64) {
        let level = self.numbers.of(&LEVELS);
        self.all.push(Noticed { ago, user: user.into(), late, kind, detail, level });
    }

    /// Before a payment, now and then to the second as long ago as something counts, a second more, or a second less; or after it.
    fn before(&mut self, Payment { ago, user, .. }: &Payment) {
        if self.numbers.one_in(3) {
            for _ in 0..=self.numbers.below(4) {
                let when = self.around(*ago, &[0, 60, HOUR, HOUR, DAY, DAY]);
                self.push(user, "failed_login", when, String::new());
            }
        }
        if self.numbers.one_in(3) {
            let login = self.around(*ago, &[0, HOUR, 9 * HOUR, DAY, DAY]);
            let known = if self.numbers.one_in(3) { "known_device" } else { "" };
            self.push(user, "login", login, known.to_owned());
            if self.numbers.one_in(2) {
                let again = login.saturating_sub(self.numbers.below(HOUR));
                self.push(user, "login", again, String::new());
            }
            for _ in 0..=self.numbers.below(4) {
                let when = self.around(login, &[0, HOUR, 2 * HOUR, 2 * HOUR]);
                self.push(user, "failed_login", when, String::new());
            }
        }
        if self.numbers.one_in(4) {
            let when = self.around(*ago, &[0, HOUR, DAY]);
            self.push(user, "seen", when, String::new());
        }
        if self.numbers.one_in(8) {
            let when = self.around(*ago, &[0, DAY, 9 * DAY]);
            let change = self.numbers.of(&CHANGES).to_owned();
            self.push(user, "second_factor", when, change);
        }
        if user.starts_with("person-1") && self.numbers.one_in(8) {
            let (when, n) = (self.around(*ago, &[0, DAY]), self.numbers.below(30));
            self.push(user, "device", when, device(user, n));
        }
    }

    /// Before what was `ago`: by one of these lengths and at most a second more or less, or by anything up to the longest.
    fn around(&mut self, ago: u64, lengths: &[u64]) -> u64 {
        let most = lengths.iter().max().copied().unwrap();
        let length = if self.numbers.one_in(3) { self.numbers.below(most) } else { self.numbers.of(lengths) };
        (ago + length + 1).saturating_sub(self.numbers.below(3))
    }

    /// So many, one after another from a time on; some in one second, and some told again, as of an earlier or a later time.
    fn devices(&mut self, user: &str, many: u64, from: u64) {
        let mut ago = from;
        for n in 0..many {
            self.push(user, "device", ago, device(user, n));
            if self.numbers.one_in(3) {
                let other = (ago + 5 * DAY).saturating_sub(self.numbers.below(10 * DAY));
                self.push(user, "device", other, device(user, n));
            }
            if !self.numbers.one_in(4) {
                ago = ago.saturating_sub(self.numbers.below(5 * DAY));
            }
        }
    }

    /// To some more than is remembered.
    fn of_many(&mut self) {
        for _ in 0..500 {
            let ago = 49 * DAY + self.numbers.below(3 * DAY);
            let late = if self.numbers.one_in(4) { self.numbers.below(12 * HOUR) } else { 0 };
            self.push_late("besieged", "failed_login", ago, String::new(), late);
        }
        for _ in 0..90 {
            let ago = 69 * DAY + self.numbers.below(3 * DAY);
            self.push_late("sleepless", "login", ago, String::new(), 0);
            let ago = 69 * DAY + self.numbers.below(3 * DAY);
            self.push_late("sleepless", "failed_login", ago, String::new(), 0);
        }
        for (hours, day) in OWLS.into_iter().zip(60..) {
            // Two hours before the second login, and more.
            for n in 0..5 {
                self.push_late(&owl(hours), "failed_login", day * DAY + HOUR + n * 60, String::new(), 0);
            }
            // The first is told after those of the day that follows it.
            for hour in 0..=hours {
                let late = if hour == 0 { DAY } else { 0 };
                self.push_late(&owl(hours), "login", day * DAY - hour * HOUR, String::new(), late);
            }
        }
        // Longer ago than is told apart, and an earlier one that is told afterwards.
        for (ago, late) in [(BEGINNING - DAY, 0), (BEGINNING, 3 * DAY)] {
            self.push_late("settled", "second_factor", ago, "added".into(), late);
        }
        // In the second of a payment.
        self.push_late("settled", "failed_login", 25 * DAY, String::new(), 0);
        for (ago, n) in [(40 * DAY, 0), (20 * DAY, 1)] {
            self.push_late("settled", "device", ago, device("settled", n), 0);
        }
        // The first is told last.
        for (ago, n, late) in [(75 * DAY, 1, 0), (80 * DAY, 0, 7 * DAY)] {
            self.push_late("sleepless", "device", ago, device("sleepless", n), late);
        }
    }
}
