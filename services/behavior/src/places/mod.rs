//! How far apart countries lie. Each is a circle that all of it is in, so that between two of them lies at least what is between their circles: whoever has been
//! in both has travelled as far, and mostly further.

use std::sync::LazyLock;

use api::behavior::Country;

/// Made by `places/countries.py`: code, latitude, longitude, reach in km and name.
const TABLE: &str = include_str!("../../places/countries.csv");
/// The earth's mean radius (km).
const RADIUS: f64 = 6_371.0;
/// Whoever lives near a border is in the next country's network at times; and a circle is drawn after an outline that is not exact.
const BORDER: f64 = 100.0;

/// A country as a circle.
struct Circle {
    code: Country,
    /// In radians.
    latitude: f64,
    longitude: f64,
    /// From its middle to the farthest of it (km).
    reach: f64,
    name: &'static str,
}

/// In the order of their codes. A test reads all lines of the table.
static COUNTRIES: LazyLock<Vec<Circle>> = LazyLock::new(|| TABLE.lines().skip(1).filter_map(circle).collect());

fn circle(line: &'static str) -> Option<Circle> {
    let mut parts = line.splitn(5, ',');
    let code = parts.next()?.parse().ok()?; // Lost: a line that is none says nothing more
    let mut figure = || parts.next()?.parse::<f64>().ok().filter(|figure| figure.is_finite()); // Lost: likewise
    let (latitude, longitude, reach) = (figure()?.to_radians(), figure()?.to_radians(), figure()?);
    Some(Circle { code, latitude, longitude, reach, name: parts.next()? })
}

fn find(country: Country) -> Option<&'static Circle> {
    let place = COUNTRIES.binary_search_by_key(&country, |circle| circle.code).ok()?; // Lost: it says only that it is not there
    COUNTRIES.get(place)
}

/// So many kilometers at least lie between any two places of these; 0 of neighbors, and where nobody knows.
pub(crate) fn least_distance(one: Country, other: Country) -> f64 {
    let (Some(one), Some(other)) = (find(one), find(other)) else { return 0.0 };
    let half = ((other.latitude - one.latitude) / 2.0).sin().powi(2)
        + one.latitude.cos() * other.latitude.cos() * ((other.longitude - one.longitude) / 2.0).sin().powi(2);
    let between = 2.0 * RADIUS * half.clamp(0.0, 1.0).sqrt().asin();
    (between - one.reach - other.reach - BORDER).max(0.0)
}

/// What people call it; its code, where that is not known.
pub(crate) fn name(country: Country) -> String {
    find(country).map_or_else(|| country.to_string(), |circle| circle.name.to_owned()) // Default: so it stands in the table of networks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn country(code: &str) -> Country {
        code.parse().unwrap()
    }

    fn between(one: &str, other: &str) -> f64 {
        let there = least_distance(country(one), country(other));
        let back = least_distance(country(other), country(one));
        assert!((there - back).abs() < 1e-6, "{one} {other}: {there} and {back}");
        there
    }

    #[test]
    fn every_line_of_the_table_is_a_country_and_stands_in_its_order() {
        assert_eq!(COUNTRIES.len(), TABLE.lines().count() - 1);
        assert!(COUNTRIES.len() > 200 && COUNTRIES.is_sorted_by_key(|circle| circle.code));
        for Circle { code, latitude, longitude, reach, name } in &*COUNTRIES {
            assert!(latitude.abs() < 1.6 && longitude.abs() <= 3.2 && (10.0..6_000.0).contains(reach), "{code}");
            assert!(!name.is_empty(), "{code}");
        }
    }

    /// Real flights are longer than what is said of their countries, between places that are in the circles (the ADR names some that are not).
    #[test]
    fn no_two_places_of_two_countries_lie_closer_than_is_said() {
        for (one, other, real) in [
            ("DE", "FR", 0.0),
            ("DE", "IE", 770.0),   // Aachen to Wexford
            ("US", "GB", 4_400.0), // Maine to Cornwall
            ("US", "RU", 4.0),     // over the Bering Strait
            ("SG", "MY", 1.0),
            ("PT", "US", 3_500.0), // the Azores to Massachusetts
            ("NZ", "AU", 1_490.0),
            ("BR", "SN", 2_840.0), // Natal to Dakar
            ("NO", "IS", 950.0),
        ] {
            let said = between(one, other);
            assert!(said <= real, "{one} {other}: {said}");
        }
        assert!(between("DE", "DE").abs() < f64::EPSILON);
    }

    #[test]
    fn continents_are_far_apart_and_what_nobody_knows_is_not() {
        assert!(between("DE", "SG") > 8_500.0 && between("DE", "BR") > 5_000.0 && between("FR", "US") > 1_000.0);
        assert!(between("DE", "ZZ").abs() < f64::EPSILON);
        assert_eq!((name(country("DE")), name(country("ZZ"))), ("Germany".to_owned(), "ZZ".to_owned()));
    }
}
