//! `cargo xtask bench behavior`: how fast events are folded and payments judged, on one core, with a million profiles in memory.
//!
//! Beside both stands what the machine does without us: as many look-ups and writes in a table of as many users, at random.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "it measures, and prints what it found")]

use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use behavior::events::{DAY, Origin, Payment, Seconds};
use behavior::judgement::Judge;
use behavior::model::Model;
use behavior::profiles::Profiles;
use behavior::rules::Rules;

const USERS: u32 = 1_000_000;
/// A hundredth as many payees as users.
const PAYEES: u64 = 10_000;
/// Payments of each user before anything is measured, one every two days.
const HISTORY: i64 = 12;
const MEASURED: u32 = 1_000_000;

/// Numbers without a pattern, the same in every run (`SplitMix64`).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    /// A user pays one of ten payees.
    fn payment(&mut self, user: u64, at: Seconds) -> Result<Payment> {
        let payee = (user + 997 * self.below(10)) % PAYEES;
        let cents = u32::try_from(100 + self.below(20_000))?;
        Ok(Payment { at, user, payee, amount: f64::from(cents) / 100.0 })
    }
}

fn main() -> Result<()> {
    let (model, rules) = (include_bytes!("../model/card-payments.json"), include_str!("../rules/payments.toml"));
    let (model, rules) = (Model::read(model)?, Rules::read(rules)?);
    let judge = Judge { model: Some(&model), rules: &rules, by_rules: true };
    let mut numbers = Numbers(1);
    let empty = memory()?;
    let mut profiles = Profiles::default();
    for day in 0..HISTORY {
        for user in 0..USERS {
            profiles.learn(&numbers.payment(user.into(), day * 2 * DAY)?);
        }
    }
    let kept = memory()? - empty;
    println!(
        "{USERS} users and {PAYEES} payees, {HISTORY} payments each: {:.0} bytes for each user",
        kept / f64::from(USERS)
    );

    let now = HISTORY * 2 * DAY;
    let bare = bare(&mut numbers);
    println!("{:<34}{bare:>12.0} a second", "a counter for each user, bare");
    let events = (0..MEASURED).map(|n| {
        let user = numbers.below(USERS.into());
        numbers.payment(user, now + i64::from(n) / 1_000)
    });
    let events = events.collect::<Result<Vec<Payment>>>()?;
    let began = Instant::now();
    for payment in &events {
        profiles.learn(payment);
    }
    let folded = f64::from(MEASURED) / began.elapsed().as_secs_f64();
    println!("{:<34}{folded:>12.0} a second: {:.3} of bare", "events folded", folded / bare);

    let mut times = Vec::with_capacity(events.len());
    let began = Instant::now();
    for payment in &events {
        let asked = Instant::now();
        black_box(judge.judge(&profiles.look_at(payment, Origin::default())));
        times.push(asked.elapsed());
    }
    let judged = f64::from(MEASURED) / began.elapsed().as_secs_f64();
    times.sort_unstable();
    let (middle, slow) = (quantile(&times, 50)?, quantile(&times, 99)?);
    println!("{:<34}{judged:>12.0} a second: {:.3} of bare", "payments judged, with reasons", judged / bare);
    println!("  half of them within {} µs, 99 of 100 within {} µs", middle.as_micros(), slow.as_micros());
    Ok(())
}

/// How often a second a counter of a random user is found and raised.
fn bare(numbers: &mut Numbers) -> f64 {
    let mut counters: HashMap<u64, u64> = (0..USERS).map(|user| (user.into(), 0)).collect();
    let users: Vec<u64> = (0..MEASURED).map(|_| numbers.below(USERS.into())).collect();
    let began = Instant::now();
    for user in &users {
        *counters.entry(*user).or_default() += 1;
    }
    black_box(&counters);
    f64::from(MEASURED) / began.elapsed().as_secs_f64()
}

fn quantile(sorted: &[Duration], of_hundred: usize) -> Result<Duration> {
    sorted.get(sorted.len() * of_hundred / 100).copied().context("nothing was measured")
}

/// The process's memory, in bytes, as Linux tells it.
fn memory() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status").context("memory is read under /proc")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024.0)
}
