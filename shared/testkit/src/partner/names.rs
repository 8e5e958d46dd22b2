//! The partner's name service: does an account belong to a name? The accounts and their holders are invented.
//!
//! It compares names as they are spoken: without case, accents, punctuation and forms of address, the words in any order; a legal form counts as its
//! abbreviation. Two that differ by a letter or two, or by initials, are a close match. An account that is not in its directory it cannot answer for.
//!
//! | the name has | the service |
//! | --- | --- |
//! | `SLOW` | answers after four seconds |
//! | `BROKEN` | answers a close match whose name turns the direction of reading |

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::{PartnerState, count, refusal, span, stranger};

/// Longer than anybody of ours waits.
const SLOW: Duration = Duration::from_secs(4);

/// Accounts, and whose they are.
const DIRECTORY: [(&str, &str); 6] = [
    ("DE89370400440532013000", "Landlord Ltd"),
    ("AT611904300234573201", "LOST Removals Ltd"),
    ("IE29AIBK93115212345678", "Zoë O’Hara"),
    ("NO9386011117947", "Nordlys Tannlegesenter AS"),
    ("FR1420041010050500013M02606", "Boulangerie Martin SARL"),
    ("MT84MALT011000012345MTLCAST001S", "Harbour View Services Limited"),
];

/// What is said before or behind a name and is none.
const TITLES: [&str; 6] = ["mr", "mrs", "ms", "dr", "herr", "frau"];

/// Legal forms, and how they are abbreviated.
const FORMS: [(&str, &str); 4] =
    [("limited", "ltd"), ("incorporated", "inc"), ("company", "co"), ("corporation", "corp")];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    iban: String,
    name: String,
}

/// How a name that was given compares with the account's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Likeness {
    Same,
    Close,
    Other,
}

/// `POST /v1/name-checks`.
pub(super) async fn post(
    state: web::Data<PartnerState>,
    request: HttpRequest,
    question: web::Json<Question>,
) -> HttpResponse {
    let _span = span(&request);
    if let Some(refused) = stranger(&state, &request) {
        return refused;
    }
    count(&state.counters.name_checks);
    let Question { iban, name } = question.into_inner();
    if name.is_empty() || name.chars().count() > 140 {
        return refusal(StatusCode::BAD_REQUEST, "name_invalid", "a name has 1 to 140 characters");
    }
    if name.contains("SLOW") {
        tokio::time::sleep(SLOW).await;
    }
    if name.contains("BROKEN") {
        return HttpResponse::Ok().json(json!({ "result": "close_match", "account_name": "Landlord\u{202e}dtL" }));
    }
    let Some((_, holder)) = DIRECTORY.iter().find(|(known, _)| *known == iban) else {
        return HttpResponse::Ok().json(json!({ "result": "not_possible", "reason": "no such account here" }));
    };
    HttpResponse::Ok().json(match compare(&name, holder) {
        Likeness::Same => json!({ "result": "match" }),
        Likeness::Close => json!({ "result": "close_match", "account_name": holder }),
        Likeness::Other => json!({ "result": "no_match" }),
    })
}

fn compare(given: &str, holder: &str) -> Likeness {
    let (given, holder) = (words(given), words(holder));
    if given == holder {
        return Likeness::Same;
    }
    let (one, other) = (given.concat(), holder.concat());
    // A letter in six, two at most.
    let allowed = (one.chars().count().min(other.chars().count()) / 6).clamp(1, 2);
    if distance(&one, &other) <= allowed || initials(&given, &holder) { Likeness::Close } else { Likeness::Other }
}

/// The words of a name as they compare, in their order by the alphabet.
fn words(name: &str) -> Vec<String> {
    let plain: String = name.chars().flat_map(char::to_lowercase).map(fold).filter(|c| *c != '\'').collect();
    let mut words: Vec<String> = plain
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty() && !TITLES.contains(word))
        .map(|word| FORMS.iter().find(|(long, _)| *long == word).map_or(word, |(_, short)| short).to_owned())
        .collect();
    words.sort_unstable();
    words
}

/// A letter without its accent; every apostrophe is one.
fn fold(letter: char) -> char {
    match letter {
        'à'..='å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'è'..='ë' | 'ē' | 'ę' | 'ě' => 'e',
        'ì'..='ï' => 'i',
        'ñ' | 'ń' | 'ň' => 'n',
        'ò'..='ö' | 'ø' | 'ō' => 'o',
        'ù'..='ü' | 'ů' => 'u',
        'ý' | 'ÿ' => 'y',
        'š' | 'ś' => 's',
        'ž' | 'ź' | 'ż' => 'z',
        'ł' => 'l',
        '’' | '‘' | '`' => '\'',
        other => other,
    }
}

/// As many words, of which one is the same, and the others are too or stand there as initials.
fn initials(given: &[String], holder: &[String]) -> bool {
    let short = |one: &str, other: &str| one.chars().count() == 1 && other.starts_with(one);
    let same = given.iter().filter(|word| holder.contains(word)).count();
    let fits = |word: &String| holder.iter().any(|other| other == word || short(word, other) || short(other, word));
    given.len() == holder.len() && same > 0 && given.iter().all(fits)
}

/// How many letters have to be put in, left out or changed (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (number, letter) in (1..).zip(one.chars()) {
        let (mut diagonal, mut left) = (number - 1, number);
        let (first, rest) = row.split_at_mut(1);
        first.fill(number);
        for (above, second) in rest.iter_mut().zip(&other) {
            let changed = diagonal + usize::from(letter != *second);
            diagonal = *above;
            left = changed.min(*above + 1).min(left + 1);
            *above = left;
        }
    }
    row.last().copied().unwrap_or(0) // Default: a row has at least its first field.
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_as_they_are_spoken() {
        for (given, holder, likeness) in [
            ("Landlord Ltd", "Landlord Ltd", Likeness::Same),
            ("LANDLORD LIMITED", "Landlord Ltd", Likeness::Same),
            ("o'hara, zoe", "Zoë O’Hara", Likeness::Same),
            ("Mrs Zoe O'Hara", "Zoë O’Hara", Likeness::Same),
            ("Zoe O'Harra", "Zoë O’Hara", Likeness::Close),
            ("Z. O'Hara", "Zoë O’Hara", Likeness::Close),
            ("Landlrd Ltd", "Landlord Ltd", Likeness::Close),
            ("Landlady Ltd", "Landlord Ltd", Likeness::Other),
            ("Martin O'Hara", "Zoë O’Hara", Likeness::Other),
            ("Z. O.", "Zoë O’Hara", Likeness::Other),
            ("Tax Office", "Landlord Ltd", Likeness::Other),
            ("", "Landlord Ltd", Likeness::Other),
        ] {
            assert_eq!(compare(given, holder), likeness, "{given} / {holder}");
            assert_eq!(compare(holder, given), likeness, "{holder} / {given}");
        }
    }

    #[test]
    fn the_distance_is_the_number_of_letters_to_change() {
        for (one, other, letters) in
            [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("abc", "acb", 2), ("ab", "ab", 0)]
        {
            assert_eq!(distance(one, other), letters, "{one} {other}");
        }
    }
}
