//! A secret behind every disguise, and answers that have none.

use std::fmt::Write as _;

use crypto::{b64, random};
use proptest::prelude::*;
use reqwest::header::{HeaderMap, HeaderValue};

use super::*;

const SECRET: &str = "sandbox_k3y/with+odd=chars";
const WEBHOOK: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn scrubber() -> Scrubber {
    Scrubber::new([SECRET.as_bytes(), WEBHOOK.as_bytes()])
}

fn each(text: &str, write: impl Fn(u8, &mut String)) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        write(byte, &mut out);
        out
    })
}

/// One layer of disguise.
fn disguised(layer: u8, text: &str) -> String {
    match layer % 14 {
        0 => each(text, |byte, out| write!(out, "%{byte:02X}").unwrap()),
        1 => each(text, |byte, out| {
            if byte.is_ascii_alphanumeric() { out.push(byte.into()) } else { write!(out, "%{byte:02x}").unwrap() }
        }),
        2 => each(text, |byte, out| write!(out, "\\u{byte:04x}").unwrap()),
        3 => serde_json::to_string(text).unwrap().replace('/', "\\/"),
        4 => each(text, |byte, out| write!(out, "&#{byte};").unwrap()),
        5 => each(text, |byte, out| write!(out, "&#x{byte:X}").unwrap() /* no semicolon */).replace("&#", " &#"),
        6 => text.replace('&', "&amp;").replace('+', "&plus;").replace('=', "&equals;").replace('/', "&sol;"),
        7 => b64::encode_standard(text.as_bytes()),
        8 => b64::encode(format!("user:{text}").as_bytes()),
        9 => hex::encode(text.as_bytes()),
        10 => each(text, |byte, out| write!(out, "{}\r\n ", char::from(byte)).unwrap()),
        11 => each(text, |byte, out| write!(out, "\\{byte:03o}").unwrap()),
        12 => each(text, |byte, out| write!(out, "\\U{byte:08x}").unwrap()),
        _ => each(text, |byte, out| write!(out, "\\x{byte:02x}").unwrap()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_secret_is_found_behind_any_layers_whatever_stands_around_it(
        layers in proptest::collection::vec(any::<u8>(), 0..5),
        before in "[a-zA-Z0-9 ,\"]{0,9}",
        after in "[a-zA-Z0-9 ,\"]{0,9}",
        secret in "[!-~]{16,60}",
    ) {
        let scrubber = Scrubber::new([secret.as_bytes()]);
        let mut text = secret.clone();
        for layer in &layers {
            text = format!("{before}{}{after}", disguised(*layer, &text));
        }
        prop_assert!(scrubber.found_in_text(text.as_bytes()), "{text}");
    }

    #[test]
    fn a_window_is_found_wherever_it_was_cut_and_less_is_not(start in 0..=14_usize, lead in 0..40_usize) {
        let window = &SECRET[start..start + WINDOW];
        let text = format!("{}{window}|", "-".repeat(lead));
        prop_assert!(scrubber().found_in_text(text.as_bytes()), "{text}");
        let less = format!("{}{}|", "-".repeat(lead), &window[1..]);
        prop_assert!(!scrubber().found_in_text(less.as_bytes()), "{less}");
    }

    #[test]
    fn whatever_is_sent_ends_the_search(text in proptest::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert!(!scrubber().found_in_text(&text));
    }
}

#[test]
fn the_key_of_a_webhook_secret_is_found_in_all_its_spellings() {
    let key = b64::decode_standard(WEBHOOK.strip_prefix("whsec_").unwrap()).unwrap();
    for text in [
        hex::encode(&key),
        hex::encode(&key).to_uppercase(),
        b64::encode(&key),
        each(WEBHOOK, |byte, out| {
            write!(out, "{}\u{200b}", char::from(byte)).unwrap();
        }),
    ] {
        assert!(scrubber().found_in_text(text.as_bytes()), "{text}");
    }
    assert!(scrubber().found_in_text(&key));
    assert!(scrubber().found_in_text(&[b"\0\0", &key[4..18], b"\0"].concat()), "cut");
    let wide: Vec<u8> = SECRET.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(scrubber().found_in_text(&wide), "UTF-16");
}

#[test]
fn names_and_values_of_headers_are_searched() {
    let with = |name: &'static str, value: &str| {
        HeaderMap::from_iter([(reqwest::header::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())])
    };
    let location = format!("https://elsewhere.example/?key={}", disguised(1, SECRET));
    assert!(scrubber().found_in(&with("location", &location), b""));
    assert!(scrubber().found_in(&with("x-7361-6e64626f785f6b33792f776974682b6f6464", "1"), b""));
    assert!(!scrubber().found_in(&with("location", "https://elsewhere.example/"), b"{}"));
}

#[test]
fn a_key_named_by_its_ends_is_not_an_echo() {
    let text = format!("Invalid API key: {}{}{}", &SECRET[..8], "*".repeat(14), &SECRET[22..]);
    assert!(!scrubber().found_in_text(text.as_bytes()));
}

#[test]
fn layers_without_end_count_as_a_hit() {
    let nested = format!("%{}41", "25".repeat(3000));
    assert!(scrubber().found_in_text(nested.as_bytes()));
}

#[test]
fn honest_answers_are_not_accused() {
    for text in [innocent(), prose(), String::new(), b64::encode_standard(prose().as_bytes())] {
        assert!(!scrubber().found_in_text(text.as_bytes()));
    }
    let blob = random::bytes::<3000>();
    assert!(!scrubber().found_in_text(b64::encode_standard(&blob).as_bytes()));
    assert!(!scrubber().found_in_text(hex::encode(blob).as_bytes()));
    assert!(!Scrubber::new([]).found_in_text(SECRET.as_bytes()), "no secrets, nothing to find");
}

/// An answer of a bank.
fn innocent() -> String {
    let entry = |number: u32| {
        format!(
            "  {{ \"id\": \"01890a5d-ac96-774b-bcce-b3020{number:07}\", \"amount\": \"{number}.50\", \"currency\": \"EUR\",\n    \
             \"creditor\": {{ \"iban\": \"AT611904300234573201\", \"name\": \"J\\u00f6rg & Sons\" }}, \"status\": \"accepted\" }}"
        )
    };
    format!("[\n{}\n]", (0..350).map(entry).collect::<Vec<_>>().join(",\n"))
}

fn prose() -> String {
    "The order has been accepted and will be carried out within one working day. ".repeat(850)
}

/// Run with optimization: `cargo test --release -p broker --lib -- --ignored --nocapture cost`.
#[test]
#[ignore = "a measurement"]
#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn the_cost_of_an_innocent_answer() {
    let secrets: Vec<String> =
        (0..4).map(|_| format!("whsec_{}", b64::encode_standard(&random::bytes::<32>()))).collect();
    let scrubber = Scrubber::new(secrets.iter().map(String::as_bytes));
    for (what, text) in
        [("JSON", innocent()), ("compact JSON", innocent().replace([' ', '\n'], "")), ("prose", prose())]
    {
        let began = std::time::Instant::now();
        for _ in 0..100 {
            assert!(!scrubber.found_in_text(std::hint::black_box(text.as_bytes())));
        }
        let kib = f64::from(u32::try_from(text.len()).unwrap()) / 1024.0;
        println!("{what}: {:.3} µs per KiB", began.elapsed().as_secs_f64() * 1e6 / 100.0 / kib);
    }
}
