//! What a phone is asked to do on the command line.

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
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    Accounts,
    Statement,
    Pay { whom: String, amount: String },
    Payout { amount: String },
    Exchange { amount: String, currency: String },
}

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
        let phone = match *flags {
            [] => Kind::Genuine,
            ["--hooked"] => Kind::Hooked,
            ["--repackaged"] => Kind::Repackaged,
            ["--rooted"] => Kind::Rooted,
            _ => return Err(Misused(format!("there is no phone with {}", flags.join(" ")))),
        };
        let (who, what) = match *words {
            [who, "accounts"] => (who, Action::Accounts),
            [who, "statement"] => (who, Action::Statement),
            [who, "pay", whom, sum] => (who, Action::Pay { whom: person(whom)?, amount: amount(sum)? }),
            [who, "payout", sum] => (who, Action::Payout { amount: amount(sum)? }),
            [who, "exchange", sum, currency] => {
                (who, Action::Exchange { amount: amount(sum)?, currency: other_currency(currency)? })
            }
            [] => return Err(Misused("who is to do what?".to_owned())),
            [who] => return Err(Misused(format!("what is `{who}` to do?"))),
            _ => return Err(Misused(format!("`{}` is nothing that a phone does", words.join(" ")))),
        };
        match &what {
            _ if phone != Kind::Hooked => (),
            Action::Pay { amount, .. } if euros(amount) != euros(SIGNED) => (),
            Action::Pay { .. } => {
                return Err(Misused(format!("a hooked phone signs {SIGNED} and changes it: to another amount")));
            }
            _ => return Err(Misused("a hooked phone changes payments: pay WHOM AMOUNT --hooked".to_owned())),
        }
        Ok(Self { who: person(who)?, what, phone })
    }
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

/// Something that reads as an amount of money. Whether it may be moved, the server says.
fn amount(text: &str) -> Result<String, Misused> {
    match euros(text) {
        Err(MoneyError::Malformed) => Err(Misused(format!("`{text}` is no amount, such as 5.00"))),
        _ => Ok(text.to_owned()),
    }
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
            assert_eq!(parse(line).unwrap(), Errand { who: "alice".to_owned(), what: pay.clone(), phone });
        }
        assert_eq!(parse("bob accounts --rooted").unwrap().phone, Kind::Rooted);
    }

    #[test]
    fn what_no_phone_does_is_named_with_what_one_does() {
        for (line, named) in [
            ("alice dance", "alice dance"),
            ("carol accounts", "carol"),
            ("alice pay carol 5", "carol"),
            ("alice accounts --magic", "--magic"),
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
