//! The users that `cargo xtask up` starts with: made as the story makes its people, through the phones and the login pages.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use api::Id;
use testkit::browser::Person;
use testkit::phone::android::DeviceProfile;
use testkit::phone::ios::IosProfile;

use crate::journey;
use crate::narrator::Narrator;
use crate::phone::Phone;
use crate::stack::Stack;

/// Registers Alice and Bob, opens an account for each and gives Alice some money.
pub async fn seed(narrator: &Narrator) -> Result<()> {
    let stack = Stack::from_environment()?;
    let (alice, _device) = Phone::android(&stack, DeviceProfile::genuine(), person("alice", "Alice Archer"))?;
    let (bob, _device) = Phone::ios(&stack, IosProfile::genuine(), person("bob", "Bob Baker"))?;
    narrator.line("");
    let mut told = BTreeMap::new();
    for (phone, user) in [(&alice, "alice"), (&bob, "bob")] {
        phone.client.enroll().await?;
        phone.client.login().await?;
        let account = journey::open(phone, "Everyday", "EUR").await?;
        let balance =
            if user == "alice" { journey::receive(&stack, phone, &account, "1000.00").await? } else { account.balance };
        let who = person(user, "");
        narrator.line(&format!("  {:<20} password {}", who.email, who.password));
        narrator.line(&format!("  {:<20} account  {} {balance}", "", account.id));
        told.insert(user, account.id);
    }
    let file = file(&stack);
    std::fs::write(&file, serde_json::to_vec(&told)?).with_context(|| file.display().to_string())
}

/// The account that one of them has told the others, who can pay them then without asking.
pub(crate) fn told(stack: &Stack, user: &str) -> Result<Option<Id>> {
    let file = file(stack);
    let text = match std::fs::read(&file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.with_context(|| file.display().to_string())?,
    };
    let told: BTreeMap<String, Id> = serde_json::from_slice(&text).with_context(|| file.display().to_string())?;
    Ok(told.get(user).copied())
}

/// Beside the logs, and gone with them.
fn file(stack: &Stack) -> PathBuf {
    stack.logs.join("../seeded.json")
}

/// Who was registered by [`seed`].
pub(crate) fn known(user: &str) -> Person {
    Person { registers: false, ..person(user, "") }
}

/// Development only, and printed on purpose: the listeners are on loopback.
fn person(user: &str, name: &str) -> Person {
    Person {
        email: format!("{user}@example.com"),
        password: format!("{user} tends seven beehives"),
        name: name.to_owned(),
        registers: true,
    }
}
