//! What honest people write, made by rule: names that are words of SQL, of shells and of HTML, firms that calculate, references with all the punctuation
//! of a keyboard. None of it is anybody's.

const FIRST: &str = "Seán,Zoë,José,Anne-Marie,Łukasz,D'Arcy,Nguyễn,Müge,Ólafur,李娜,Мария,Faïza,Grant,Drew,Union,Mark,Will,Art,Joy,Chase";
const LAST: &str = "O'Brien,O’Hara,D'Angelo,van der Berg,Müller-Lüdenscheidt,Select,Null,Table,Drop,Order,Union,Script,Alert,Root,Test,True,Like,\
    Case,Having,Where";
const FIRMS: &str = "Müller & Söhne,SELECT Restaurant,1=1 Ltd,Drop Table Furniture,Union & Select Wines,Insert Coin Arcade,Update Fitness,\
    Delete Noise Records,Exec Travel,Or & And Design,Null Island Tours,Script Bakery,Alert Security,Cat & Bin Recycling,Root Dental,Echo Studio,\
    Ping Pong Club,Curl Hair Salon,Bash Events,Sh! Library Café,Where Is Waldo Books,Having Fun GmbH,Group By Design,Like It Catering,Case & Sons,\
    Eval Consulting,System One,Passwd Locksmiths,Join Us Coworking,Cast Iron Pans,Char & Grill,Sleep Well Hotel,Benchmark Capital,\
    Waitfor Delay Records,Concat Cables,Load File Storage,Into Outfile Press,Image & Onload Media,Iframe Framing,Href Hosting,Java Lava Coffee,\
    Runtime Coaching,Class Loader Moving,Perl & Pearl Jewels,Ruby Gems,Python Pets,Node Fitness,PHP Philippine Plumbing,Config Kitchens,Boot Barn,\
    Win Ini Racing,Etc. Trading,Var & Tmp Art,Dev Null Comics,Proc Cleaning,Home Depot,Usr Friendly Ltd,Local Host Catering,C. D. Rom Music";
const FORMS: [&str; 5] = ["{} GmbH & Co. KG", "{} (Berlin)", "{} Ltd.", "{} S.A.", "{} – Filiale 2"];
/// `{m}` is a month, `{n}` and `{k}` are numbers.
const REFERENCES: &str = "Rent {m}/2026|Invoice #{n}|Inv. no. {n}; thanks!|RE: order {n} - part 2|Dinner @ Luigi's|50% deposit, room {k}|\
    Refund (order {n})|Gift for mum & dad :)|\"Thank you\" dinner|A/C {n}|Rent; July|€{k}.50 for pizza|$ {k} I owe you|Salary {m}/26 * bonus|\
    Tickets 2x {k},00|Electricity {m}-{k}|Rechnung Nr. {n} vom 03.{m}.2026|Facture n°{n}|Loyer d'{m} 2026|Kto {n} / BLZ {k}|\
    Select seats for {k} people|Drop off and pick up kids|Union dues {m}/2026|Insert from Table {k}|Where were you? Dinner and drinks or lunch|\
    Order by phone, update later|Cash & carry -- {k} bags|Lunch <3|Tom's & Ann's share = {k}.00|Ref. 1=1 test {n}|Delete my debt :-)|\
    I owe you one; or two = {k}|Cat food and dog food|net user group fee {k}|ping me when it arrives|Book: 'Alice in Wonderland'|Exec. summary {n}|\
    if then else course fee {k}|Echo dot {k}|Script for the play, act {k}";

/// Texts for people: names, firms, references. More than 500, no two alike.
pub fn texts() -> Vec<String> {
    let mut texts = Vec::new();
    let people = FIRST.split(',').flat_map(|first| LAST.split(',').map(move |last| format!("{first} {last}")));
    texts.extend(people.step_by(2));
    for (at, firm) in FIRMS.split(',').enumerate() {
        texts.push(firm.to_owned());
        texts.extend(FORMS.get(at % FORMS.len()).map(|form| form.replace("{}", firm)));
    }
    for round in 0..10_u32 {
        for (at, reference) in (0_u32..).zip(REFERENCES.split('|')) {
            let (month, number) = (format!("{:02}", (at + round) % 12 + 1), (10_000 + at * 37 + round).to_string());
            let small = (at % 40 + 3 + round).to_string();
            texts.push(reference.replace("{m}", &month).replace("{n}", &number).replace("{k}", &small));
        }
    }
    // Some references have no number in them.
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// What stands in other fields than those: IBANs of three countries with their check digits, e-mail addresses, versions. Each with its field.
pub fn codes() -> Vec<(&'static str, String)> {
    let mut codes = Vec::new();
    for at in 0..40_u64 {
        let accounts = [
            ("DE", format!("{:08}{:010}", 37_040_044 + at * 11, 532_013_000 + at * 7919)),
            ("GB", format!("NWBK{:06}{:08}", 600_000 + at, 31_926_819 + at * 31)),
            ("FR", format!("{:05}01005{:011}{:02}", 20_041 + at, 500_013 + at * 17, at)),
        ];
        codes.extend(accounts.map(|(country, account)| ("payee: IBAN", iban(country, &account))));
    }
    for (at, last) in LAST.split(',').filter(|last| last.is_ascii() && !last.contains(' ')).enumerate() {
        codes.push(("login: email", format!("{}+{at}@select.example", last.to_lowercase())));
        codes.push(("attest: app's version", format!("{at}.{}.0-rc.{at}", at * 3)));
    }
    codes
}

/// ISO 13616: the check digits are those that leave 1 when all is divided by 97.
fn iban(country: &str, account: &str) -> String {
    let rest = |text: &str| {
        text.chars().fold(0_u32, |rest, c| match c.to_digit(36) {
            Some(digit @ 10..) => (rest * 100 + digit) % 97,
            digit => (rest * 10 + digit.unwrap_or_default()) % 97,
        })
    };
    format!("{country}{:02}{account}", 98 - rest(&format!("{account}{country}00")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_many_of_them_and_no_two_alike() {
        let texts = texts();
        let distinct: std::collections::BTreeSet<_> = texts.iter().collect();
        assert!(texts.len() >= 500 && distinct.len() == texts.len(), "{} of {}", distinct.len(), texts.len());
    }

    #[test]
    fn check_digits_are_those_of_the_standard() {
        assert_eq!(iban("DE", "370400440532013000"), "DE89370400440532013000");
        assert_eq!(iban("GB", "NWBK60161331926819"), "GB29NWBK60161331926819");
    }
}
