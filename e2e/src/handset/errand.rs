//! What a phone is asked to do on the command line.

use api::Id;
use money::{Currency, Money, MoneyError};

use super::SIGNED;

/// What was asked is nothing that a phone does.
#[derive(Debug)]
pub struct Misused(String);

impl std::error::Error for Misused {}

impl std::fmt::Display for Misused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; `cargo xtask phone --help` says what there is", self.0)
    }
}

/// What the phone is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Errand {
    pub(super) who: String,
    pub(super) what: Action,
    pub(super) phone: Kind,
    /// What is typed where a code is asked for, one after the other.
    pub(super) codes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    Accounts,
    Statement,
    Pay { whom: String, amount: String },
    Payout { amount: String },
    Cancel { payout: Id },
    Exchange { amount: String, currency: String },
}

/// Before a code that its owner types.
const CODE: &str = "--code=";

/// What each is followed by.
const FORMS: [(&str, &str); 6] = [
    ("accounts", ""),
    ("statement", ""),
    ("pay", " WHOM AMOUNT, such as pay bob 5.00"),
    ("payout", " AMOUNT, such as payout 20.00"),
    ("cancel", " PAYOUT, the id of one that is held"),
    ("exchange", " AMOUNT CURRENCY, such as exchange 10.00 USD"),
];

/// What kind of phone it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Genuine,
    Hooked,
    Repackaged,
    Rooted,
}

impl Errand {
    pub(super) fn parse(arguments: &[&str]) -> Result<Self, Misused> {
        let (flags, words): (Vec<&str>, Vec<&str>) = arguments.iter().copied().partition(|word| word.starts_with("--"));
        let (codes, flags): (Vec<&str>, Vec<&str>) = flags.into_iter().partition(|flag| flag.starts_with(CODE));
        let codes = codes.iter().map(|flag| flag.trim_start_matches(CODE).to_owned()).collect();
        let phone = match *flags {
            [] => Kind::Genuine,
            ["--hooked"] => Kind::Hooked,
            ["--repackaged"] => Kind::Repackaged,
            ["--rooted"] => Kind::Rooted,
            [.., flag] if !["--hooked", "--repackaged", "--rooted"].contains(&flag) => {
                return Err(Misused(format!(
                    "there is no phone with {flag}: it is --hooked, --repackaged or --rooted"
                )));
            }
            _ => return Err(Misused(format!("a phone is one of these, not several at once: {}", flags.join(", ")))),
        };
        let amount = if phone == Kind::Hooked { anything } else { amount };
        let (who, what) = match *words {
            [who, "accounts"] => (who, Action::Accounts),
            [who, "statement"] => (who, Action::Statement),
            [who, "pay", whom, sum] => (who, Action::Pay { whom: person(whom)?, amount: amount(sum)? }),
            [who, "cancel", payout] => {
                let named = payout.parse().map_err(|_| Misused(format!("`{payout}` names no payout: it is an id")))?;
                (who, Action::Cancel { payout: named })
            }
            [who, "payout", sum] => (who, Action::Payout { amount: amount(sum)? }),
            [who, "exchange", sum, currency] => {
                (who, Action::Exchange { amount: amount(sum)?, currency: other_currency(currency)? })
            }
            [] => return Err(Misused("who is to do what?".to_owned())),
            [who] => return Err(Misused(format!("what is `{who}` to do?"))),
            [_, what, ..] => return Err(incomplete(what, &words)),
        };
        match &what {
            _ if phone != Kind::Hooked => (),
            Action::Pay { amount, .. } if euros(amount) != euros(SIGNED) => (),
            Action::Pay { .. } => {
                return Err(Misused(format!("a hooked phone signs {SIGNED} and changes it: to another amount")));
            }
            _ => return Err(Misused("a hooked phone changes payments: pay WHOM AMOUNT --hooked".to_owned())),
        }
        Ok(Self { who: person(who)?, what, phone, codes })
    }
}

/// Too few or too many words of what a phone does, or something that no phone does.
fn incomplete(what: &str, words: &[&str]) -> Misused {
    let (said, form) = (words.join(" "), FORMS.iter().find(|(name, _)| *name == what));
    Misused(match form {
        Some((name, "")) => format!("`{said}` says too much: {name} takes nothing"),
        Some((name, form)) => format!("`{said}` is not as it has to be: {name}{form}"),
        None => format!("`{said}` is nothing that a phone does"),
    })
}

/// One of those that `up` has registered.
fn person(name: &str) -> Result<String, Misused> {
    if !["alice", "bob"].contains(&name) {
        return Err(Misused(format!("nobody is called `{name}` here")));
    }
    Ok(name.to_owned())
}

/// Euros become money of this currency.
fn other_currency(code: &str) -> Result<String, Misused> {
    match code.parse() {
        Ok(Currency::EUR) => Err(Misused("euros are exchanged for another currency, such as USD".to_owned())),
        Ok(_) => Ok(code.to_owned()),
        Err(_) => Err(Misused(format!("`{code}` is no currency that the ledger has, such as USD"))),
    }
}

pub(super) fn euros(text: &str) -> Result<Money, MoneyError> {
    Money::parse(text, Currency::EUR)
}

/// An amount that can be moved, as an app lets nobody type another one. Whether it is there, the server says.
fn amount(text: &str) -> Result<String, Misused> {
    match euros(text) {
        Ok(amount) if amount.is_positive() => Ok(text.to_owned()),
        Ok(_) => Err(Misused(format!("`{text}` cannot be moved: an amount is more than zero"))),
        Err(MoneyError::ExcessDigits) => Err(Misused(format!("`{text}` has parts of a cent, which no euro has"))),
        Err(MoneyError::Overflow) => Err(Misused(format!("`{text}` is more than any account holds"))),
        Err(_) => Err(Misused(format!("`{text}` is no amount, such as 5.00"))),
    }
}

/// Whoever has the app in their hands takes the check of amounts out of it.
#[expect(clippy::unnecessary_wraps, reason = "it stands in for `amount`")]
fn anything(text: &str) -> Result<String, Misused> {
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Errand, Misused> {
        Errand::parse(&line.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn an_errand_says_who_does_what_on_which_phone() {
        let pay = Action::Pay { whom: "bob".to_owned(), amount: "5.00".to_owned() };
        for (line, phone) in [("alice pay bob 5.00", Kind::Genuine), ("alice pay bob --hooked 5.00", Kind::Hooked)] {
            assert_eq!(
                parse(line).unwrap(),
                Errand { who: "alice".to_owned(), what: pay.clone(), phone, codes: vec![] }
            );
        }
        assert_eq!(parse("alice accounts --code=123456 --code=abcd").unwrap().codes, ["123456", "abcd"]);
        assert_eq!(parse("bob accounts --rooted").unwrap().phone, Kind::Rooted);
    }

    /// The server is to refuse what an app does not check any more.
    #[test]
    fn only_a_hooked_phone_sends_an_amount_that_is_none() {
        for amount in ["-5", "0", "0.00", "5.001", "five", "99999999999999999999"] {
            assert!(parse(&format!("alice pay bob {amount}")).is_err(), "{amount}");
            let sent = Action::Pay { whom: "bob".to_owned(), amount: amount.to_owned() };
            assert_eq!(parse(&format!("alice pay bob {amount} --hooked")).unwrap().what, sent);
        }
    }

    #[test]
    fn what_no_phone_does_is_named_with_what_one_does() {
        for (line, named) in [
            ("alice dance", "alice dance"),
            ("carol accounts", "carol"),
            ("alice pay carol 5", "carol"),
            ("alice accounts --magic", "no phone with --magic: it is --hooked, "),
            ("alice pay bob 5 --hooked --rooted", "not several at once: --hooked, --rooted"),
            ("alice accounts --rooted --rooted", "not several at once"),
            ("alice pay", "pay WHOM AMOUNT, such as pay bob 5.00"),
            ("alice pay bob", "pay WHOM AMOUNT"),
            ("alice pay bob 5 6", "pay WHOM AMOUNT"),
            ("alice payout", "payout AMOUNT"),
            ("alice cancel", "cancel PAYOUT"),
            ("alice exchange 5", "exchange AMOUNT CURRENCY"),
            ("alice accounts all", "accounts takes nothing"),
            ("alice payout -5", "more than zero"),
            ("alice exchange 0 USD", "more than zero"),
            ("alice pay bob 5.001", "parts of a cent"),
            ("alice payout 99999999999999999999", "more than any account holds"),
            ("alice accounts --hooked", "pay WHOM"),
            ("alice pay bob five", "five"),
            ("", "who is to do what?"),
            ("alice", "what is `alice` to do?"),
            ("alice pay bob 0.01 --hooked", "another amount"),
            ("alice exchange 5 usd", "`usd`"),
            ("alice exchange 5 EUR", "another currency"),
        ] {
            let text = parse(line).unwrap_err().to_string();
            assert!(text.contains(named) && text.contains("--help"), "{text}");
        }
    }
}
