//! The ECB's `eurofxref-daily.xml` as JSON: `{"date","base":"EUR","rates":{"USD":"1.1172",…}}`.
//!
//! XML from outside is read strictly and with bounds: no document type (so no entities of anybody's making), no references,
//! no processing instructions, bounded depth, elements and attributes; the elements must be the ECB's, in its namespace, and
//! every rate a positive decimal number. Anything else is not the ECB's file.

use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use thiserror::Error;

const NAMESPACE: &str = "http://www.ecb.int/vocabulary/2002-08-01/eurofxref";
const MAX_DEPTH: usize = 6;
const MAX_ELEMENTS: usize = 512;
const MAX_ATTRIBUTES: usize = 8;

/// The document is not the ECB's daily file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not the ECB's reference rates: {0}")]
pub struct EcbError(pub &'static str);

/// Reads the daily file.
pub fn parse(document: &[u8]) -> Result<Value, EcbError> {
    let text = std::str::from_utf8(document).map_err(|_| EcbError("not UTF-8"))?;
    let mut reader = NsReader::from_str(text);
    let mut sheet = Sheet::default();
    let (mut depth, mut elements) = (0_usize, 0_usize);
    loop {
        let (namespace, event) = reader.read_resolved_event().map_err(|_| EcbError("not well-formed"))?;
        let cube = matches!(namespace, ResolveResult::Bound(bound) if bound.as_ref() == NAMESPACE);
        match event {
            Event::Start(element) | Event::Empty(element) if elements >= MAX_ELEMENTS || depth >= MAX_DEPTH => {
                drop(element);
                return Err(EcbError("too large"));
            }
            Event::Start(element) => {
                (depth, elements) = (depth + 1, elements + 1);
                sheet.element(&element, cube)?;
            }
            Event::Empty(element) => {
                elements += 1;
                sheet.element(&element, cube)?;
            }
            Event::End(_) => depth = depth.checked_sub(1).ok_or(EcbError("not well-formed"))?,
            Event::Eof if depth == 0 => return sheet.finish(),
            Event::Eof => return Err(EcbError("not well-formed")),
            Event::Decl(_) | Event::Text(_) | Event::Comment(_) => (),
            Event::DocType(_) | Event::PI(_) | Event::CData(_) | Event::GeneralRef(_) => {
                return Err(EcbError("a construct that the ECB does not use"));
            }
        }
    }
}

#[derive(Default)]
struct Sheet {
    date: Option<String>,
    rates: Map<String, Value>,
}

impl Sheet {
    fn element(&mut self, element: &BytesStart<'_>, cube: bool) -> Result<(), EcbError> {
        if !cube || element.local_name().as_ref() != "Cube" {
            return Ok(());
        }
        let (mut time, mut currency, mut rate) = (None, None, None);
        for (count, attribute) in element.attributes().enumerate() {
            let attribute = attribute.map_err(|_| EcbError("attributes"))?;
            let value: &str = &attribute.value;
            match attribute.key.as_ref() {
                _ if count >= MAX_ATTRIBUTES => return Err(EcbError("too large")),
                "time" => time = Some(value.to_owned()),
                "currency" => currency = Some(value.to_owned()),
                "rate" => rate = Some(value.to_owned()),
                _ => (),
            }
        }
        match (time, currency, rate) {
            (None, None, None) => Ok(()),
            (Some(time), None, None) => self.day(time),
            (None, Some(currency), Some(rate)) => self.rate(currency, rate),
            _ => Err(EcbError("attributes")),
        }
    }

    fn day(&mut self, time: String) -> Result<(), EcbError> {
        chrono::NaiveDate::parse_from_str(&time, "%Y-%m-%d").map_err(|_| EcbError("date"))?;
        // The daily file has one day. Two would mix their rates.
        if self.date.replace(time).is_some() { Err(EcbError("two days")) } else { Ok(()) }
    }

    fn rate(&mut self, currency: String, rate: String) -> Result<(), EcbError> {
        let code = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase());
        let digits = rate.len() <= 16 && rate.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let positive = rate.parse::<Decimal>().is_ok_and(|rate| rate > Decimal::ZERO);
        if self.date.is_none() || !code || !digits || !positive {
            return Err(EcbError("rate"));
        }
        if self.rates.insert(currency, rate.into()).is_some() { Err(EcbError("a currency twice")) } else { Ok(()) }
    }

    fn finish(self) -> Result<Value, EcbError> {
        match self.date {
            Some(date) if !self.rates.is_empty() => Ok(json!({ "date": date, "base": "EUR", "rates": self.rates })),
            _ => Err(EcbError("no rates")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(parse(day(&"<x/>".repeat(1000)).as_bytes()), Err(EcbError("too large")));
        assert_eq!(parse(document(&"<x>".repeat(100)).as_bytes()), Err(EcbError("too large")));
    }
}
