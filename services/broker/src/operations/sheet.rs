//! A rate sheet in XML as JSON: `{"date","base":"EUR","rates":{"USD":"1.1172",…}}`. What its elements and attributes are called stands in the
//! manifest.
//!
//! XML from outside is read strictly and with bounds: no document type (so no entities of anybody's making), no references,
//! no processing instructions, bounded depth, elements and attributes; the elements must be the agreed ones, in their namespace, and
//! every rate a positive decimal number. Anything else is not the sheet.

use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::providers::format::RateSheet;

const MAX_DEPTH: usize = 6;
const MAX_ELEMENTS: usize = 512;
const MAX_ATTRIBUTES: usize = 8;

/// The document is not the agreed sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not the agreed rate sheet: {0}")]
pub struct SheetError(pub &'static str);

/// Reads a sheet of one day.
pub fn parse(words: &RateSheet, document: &[u8]) -> Result<Value, SheetError> {
    let text = std::str::from_utf8(document).map_err(|_| SheetError("not UTF-8"))?;
    let mut reader = NsReader::from_str(text);
    let mut sheet = Sheet { words, date: None, rates: Map::new() };
    let (mut depth, mut elements) = (0_usize, 0_usize);
    loop {
        let (namespace, event) = reader.read_resolved_event().map_err(|_| SheetError("not well-formed"))?;
        let ours = matches!(namespace, ResolveResult::Bound(bound) if bound.as_ref() == words.namespace);
        match event {
            Event::Start(element) | Event::Empty(element) if elements >= MAX_ELEMENTS || depth >= MAX_DEPTH => {
                drop(element);
                return Err(SheetError("too large"));
            }
            Event::Start(element) => {
                (depth, elements) = (depth + 1, elements + 1);
                sheet.element(&element, ours)?;
            }
            Event::Empty(element) => {
                elements += 1;
                sheet.element(&element, ours)?;
            }
            Event::End(_) => depth = depth.checked_sub(1).ok_or(SheetError("not well-formed"))?,
            Event::Eof if depth == 0 => return sheet.finish(),
            Event::Eof => return Err(SheetError("not well-formed")),
            Event::Decl(_) | Event::Text(_) | Event::Comment(_) => (),
            Event::DocType(_) | Event::PI(_) | Event::CData(_) | Event::GeneralRef(_) => {
                return Err(SheetError("a construct that no sheet needs"));
            }
        }
    }
}

struct Sheet<'a> {
    words: &'a RateSheet,
    date: Option<String>,
    rates: Map<String, Value>,
}

impl Sheet<'_> {
    fn element(&mut self, element: &BytesStart<'_>, ours: bool) -> Result<(), SheetError> {
        if !ours || element.local_name().as_ref() != self.words.element {
            return Ok(());
        }
        let (mut time, mut currency, mut rate) = (None, None, None);
        for (count, attribute) in element.attributes().enumerate() {
            let attribute = attribute.map_err(|_| SheetError("attributes"))?;
            let value: &str = &attribute.value;
            match attribute.key.as_ref() {
                _ if count >= MAX_ATTRIBUTES => return Err(SheetError("too large")),
                name if name == self.words.date => time = Some(value.to_owned()),
                name if name == self.words.currency => currency = Some(value.to_owned()),
                name if name == self.words.rate => rate = Some(value.to_owned()),
                _ => (),
            }
        }
        match (time, currency, rate) {
            (None, None, None) => Ok(()),
            (Some(time), None, None) => self.day(time),
            (None, Some(currency), Some(rate)) => self.rate(currency, rate),
            _ => Err(SheetError("attributes")),
        }
    }

    fn day(&mut self, time: String) -> Result<(), SheetError> {
        chrono::NaiveDate::parse_from_str(&time, "%Y-%m-%d").map_err(|_| SheetError("date"))?;
        // A sheet has one day. Two would mix their rates.
        if self.date.replace(time).is_some() { Err(SheetError("two days")) } else { Ok(()) }
    }

    fn rate(&mut self, currency: String, rate: String) -> Result<(), SheetError> {
        let code = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase());
        let digits = rate.len() <= 16 && rate.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let positive = rate.parse::<Decimal>().is_ok_and(|rate| rate > Decimal::ZERO);
        if self.date.is_none() || !code || !digits || !positive {
            return Err(SheetError("rate"));
        }
        if self.rates.insert(currency, rate.into()).is_some() { Err(SheetError("a currency twice")) } else { Ok(()) }
    }

    fn finish(self) -> Result<Value, SheetError> {
        match self.date {
            Some(date) if !self.rates.is_empty() => {
                Ok(json!({ "date": date, "base": self.words.base, "rates": self.rates }))
            }
            _ => Err(SheetError("no rates")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::Catalogue;

    /// The words of the manifest for the ECB's `eurofxref-daily.xml`.
    fn words() -> RateSheet {
        let manifest = Catalogue::parse("ecb.toml", include_str!("../../manifests/ecb.toml")).unwrap();
        manifest.operations[&"reference_rates".into()].response.sheet.clone().unwrap()
    }

    fn parse(document: &[u8]) -> Result<Value, SheetError> {
        super::parse(&words(), document)
    }

    fn document(cubes: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<gesmes:Envelope xmlns:gesmes=\"http://www.gesmes.org/xml/2002-08-01\" \
             xmlns=\"http://www.ecb.int/vocabulary/2002-08-01/eurofxref\"><gesmes:subject>Reference rates</gesmes:subject>{cubes}</gesmes:Envelope>"
        )
    }

    fn day(rates: &str) -> String {
        document(&format!("<Cube><Cube time='2026-10-30'>{rates}</Cube></Cube>"))
    }

    #[test]
    fn the_rates_come_out_as_published() {
        let xml = day("<Cube currency='USD' rate='1.1172'/><Cube currency='JPY' rate='175.68'></Cube>");
        let expected = json!({ "date": "2026-10-30", "base": "EUR", "rates": { "USD": "1.1172", "JPY": "175.68" } });
        assert_eq!(parse(xml.as_bytes()), Ok(expected));
    }

    #[test]
    fn the_whole_file_of_the_sandbox_is_read() {
        let xml = testkit::partner::ecb::daily_xml().unwrap();
        let value = parse(xml.as_bytes()).unwrap();
        assert_eq!(value["rates"].as_object().unwrap().len(), testkit::partner::ecb::latest().unwrap().rates.len());
    }

    #[test]
    fn what_is_not_the_ecbs_file_is_refused() {
        let usd = "<Cube currency='USD' rate='1.1'/>";
        for xml in [
            String::new(),
            "not xml".to_owned(),
            day(""),
            document("<Cube><Cube currency='USD' rate='1.1'/></Cube>"),
            day(&format!("{usd}{usd}")),
            day("<Cube currency='USD' rate='-1'/>"),
            day("<Cube currency='USD' rate='0'/>"),
            day("<Cube currency='USD' rate='1e9'/>"),
            day("<Cube currency='USD' rate='NaN'/>"),
            day("<Cube currency='usd' rate='1'/>"),
            day("<Cube currency='USD'/>"),
            day(&format!("{usd}</Cube><Cube time='2026-10-29'>")),
            day(usd).replace("2026-10-30", "2026-13-30"),
            day(usd).replace("http://www.ecb.int", "http://evil.example"),
            day(usd).replace("</gesmes:Envelope>", ""),
        ] {
            assert!(parse(xml.as_bytes()).is_err(), "{xml}");
        }
        assert!(parse(b"\xff\xfe").is_err());
    }

    #[test]
    fn entities_and_bombs_are_refused() {
        let laughs = "<!DOCTYPE x [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;\">]>";
        let usd = day("<Cube currency='USD' rate='1.1'/>");
        let with_doctype = usd.replace("?>\n", &format!("?>\n{laughs}"));
        assert!(parse(with_doctype.as_bytes()).is_err());
        assert!(parse(day("&b;<Cube currency='USD' rate='1.1'/>").as_bytes()).is_err());
        assert!(parse(day("<![CDATA[x]]><Cube currency='USD' rate='1.1'/>").as_bytes()).is_err());
        assert_eq!(parse(day(&"<x/>".repeat(1000)).as_bytes()), Err(SheetError("too large")));
        assert_eq!(parse(document(&"<x>".repeat(100)).as_bytes()), Err(SheetError("too large")));
    }
}
