//! The European Central Bank's daily reference rates: real rows, in the ECB's own XML.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};

/// Where the ECB publishes them.
pub const PATH: &str = "/stats/eurofxref/eurofxref-daily.xml";

/// Rows of the ECB's history file, newest first; where they are from stands in the file.
const HISTORY: &str = include_str!("../../data/ecb-rates.csv");

/// One day of reference rates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// `YYYY-MM-DD`.
    pub date: &'static str,
    /// Currency and units of it for one euro, as published.
    pub rates: Vec<(&'static str, &'static str)>,
}

/// The newest day in the data.
pub fn latest() -> Result<Day> {
    let mut lines = HISTORY.lines().filter(|line| !line.starts_with('#'));
    let head = lines.next().context("no head line")?;
    let row = lines.next().context("no rates")?;
    let mut cells = head.split(',').zip(row.split(','));
    let (_, date) = cells.next().context("no date")?;
    let rates = cells.filter(|(currency, rate)| !currency.is_empty() && !rate.is_empty() && *rate != "N/A").collect();
    Ok(Day { date, rates })
}

/// The newest day as `eurofxref-daily.xml`.
pub fn daily_xml() -> Result<String> {
    let day = latest()?;
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <gesmes:Envelope xmlns:gesmes=\"http://www.gesmes.org/xml/2002-08-01\" \
         xmlns=\"http://www.ecb.int/vocabulary/2002-08-01/eurofxref\">\n\
         \t<gesmes:subject>Reference rates</gesmes:subject>\n\
         \t<gesmes:Sender>\n\t\t<gesmes:name>European Central Bank</gesmes:name>\n\t</gesmes:Sender>\n\
         \t<Cube>\n",
    );
    writeln!(xml, "\t\t<Cube time='{}'>", day.date)?;
    for (currency, rate) in day.rates {
        writeln!(xml, "\t\t\t<Cube currency='{currency}' rate='{rate}'/>")?;
    }
    xml.push_str("\t\t</Cube>\n\t</Cube>\n</gesmes:Envelope>\n");
    Ok(xml)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_row_is_the_published_one() {
        let day = latest().unwrap();
        assert_eq!(day.date, "2026-10-30");
        assert!(day.rates.contains(&("USD", "1.1172")) && day.rates.contains(&("JPY", "175.68")));
        assert!(day.rates.iter().all(|(_, rate)| rate.parse::<rust_decimal::Decimal>().is_ok()));
        // Currencies that joined the euro or were suspended have no rate.
        assert!(!day.rates.iter().any(|(currency, _)| ["HRK", "RUB", "BGN"].contains(currency)));
    }
}
