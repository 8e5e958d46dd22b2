use api::approvals::Payee;
use api::{Amount, Id};
use runtime::StatusCode;

use crate::ids::PasskeyId;
use crate::second_factors::Passkey;

use super::*;

#[test]
fn the_way_on_is_one_attribute_whatever_is_in_the_answer() {
    let location = "https://app.test/cb?code=x&state=a%22%3E;url=b&iss=c";
    let page = render(&OnwardPage { client: "c", destination: "https://app.test", location }).unwrap();
    let escaped = location.replace('&', "&#38;");
    assert!(page.contains(&format!("<meta http-equiv=\"refresh\" content=\"0; url={escaped}\">")), "{page}");
    assert!(page.contains(&format!("href=\"{escaped}\"")), "{page}");
}

#[test]
fn every_page_renders_escapes_and_has_no_script() {
    let evil = "<script>alert(1)</script>\"'";
    let pages = [
        render(&LoginPage {
            client: evil,
            pays: true,
            action: evil,
            other: evil,
            csrf: "token",
            email: evil,
            error: Some(Complaint { text: evil, wrong: &[evil], focus: evil }),
            widget: None,
        })
        .unwrap(),
        render(&RegisterPage {
            client: evil,
            action: evil,
            other: evil,
            csrf: "token",
            name: evil,
            email: evil,
            error: Some(Complaint { text: evil, wrong: &[evil], focus: evil }),
            min_password: 15,
            widget: None,
        })
        .unwrap(),
        render(&ConsentPage {
            client: evil,
            action: evil,
            destination: evil,
            csrf: "token",
            name: evil,
            permissions: &[evil],
            second_factor: evil,
            choices: &[Choice { field: "grant_profile", words: evil, value: evil }],
        })
        .unwrap(),
        render(&ApprovePage {
            client: evil,
            action: evil,
            destination: evil,
            csrf: "token",
            shown: "mark",
            name: evil,
            payment: &payment(evil),
            until: evil,
            factor: Some(&FactorAsked { app: true, passkey: None }),
            error: Some(Complaint { text: evil, wrong: &[evil], focus: evil }),
        })
        .unwrap(),
        render(&NothingPage { client: evil, action: evil, csrf: "token", name: evil }).unwrap(),
        render(&OnwardPage { client: evil, destination: evil, location: evil }).unwrap(),
        page_of(404, Some(3), evil),
    ];
    for page in pages.into_iter().chain(of_the_second_factor(evil)) {
        assert!(page.starts_with("<!doctype html>") && page.contains("lang=\"en\"") && page.contains("</html>"));
        assert!(!page.contains("<script") && !page.contains("style="), "{page}");
    }
}

fn of_the_second_factor(evil: &str) -> [String; 5] {
    [
        render(&CodePage {
            client: evil,
            action: evil,
            other: evil,
            csrf: "token",
            factor: &FactorAsked { app: true, passkey: None },
            error: Some(Complaint { text: evil, wrong: &[evil], focus: evil }),
        })
        .unwrap(),
        render(&SecondFactorPage {
            client: evil,
            action: evil,
            enroll: Some(evil),
            add: Some(evil),
            back: evil,
            csrf: "token",
            has: Some(&State { app: Some(DateTime::UNIX_EPOCH), passkeys: vec![passkey(evil)], codes: 10 }),
        })
        .unwrap(),
        render(&SurePage {
            action: evil,
            csrf: "token",
            asked: &Sure { name: "passkey", value: evil.to_owned(), removes: Some(evil.to_owned()), last: true },
            password: true,
            error: Some(Complaint { text: evil, wrong: &[evil], focus: evil }),
        })
        .unwrap(),
        render(&EnrollPage {
            action: evil,
            back: evil,
            csrf: "token",
            secret: evil,
            uri: evil,
            picture: "<svg></svg>",
            password: true,
            error: Some(Complaint { text: evil, wrong: &[evil], focus: evil }),
        })
        .unwrap(),
        render(&RecoveryCodesPage { codes: &[evil.into()], back: evil }).unwrap(),
    ]
}

fn passkey(name: &str) -> Passkey {
    let id = PasskeyId::from_bytes([1; 16]);
    Passkey { id, name: name.to_owned(), since: DateTime::UNIX_EPOCH, used: None }
}

fn ceremony(text: &str) -> Ceremony {
    Ceremony { challenge: text.to_owned(), rp_id: text.to_owned(), credentials: vec![text.to_owned()], timeout: 1 }
}

#[test]
fn who_is_asked_for_a_passkey_has_one_script_of_ours_and_a_way_without() {
    let evil = "<script>alert(1)</script>\"'";
    let factor = FactorAsked { app: false, passkey: Some(ceremony(evil)) };
    let code = CodePage { client: evil, action: evil, other: evil, csrf: "token", factor: &factor, error: None };
    let approve = ApprovePage {
        client: evil,
        action: evil,
        destination: evil,
        csrf: "token",
        shown: "mark",
        name: evil,
        payment: &payment(evil),
        until: evil,
        factor: Some(&factor),
        error: None,
    };
    let add = PasskeyPage {
        action: evil,
        back: evil,
        csrf: "token",
        ceremony: &ceremony(evil),
        user: evil,
        email: evil,
        name: evil,
        typed: evil,
        longest: 40,
        password: true,
        error: Some(Complaint { text: evil, wrong: &["name"], focus: "name" }),
    };
    for page in [render(&code).unwrap(), render(&approve).unwrap(), render(&add).unwrap()] {
        assert_eq!(page.matches("<script").count(), 1, "{page}");
        assert!(page.contains("<script type=\"module\" src=\"/passkey.js\"></script>"), "{page}");
        // Hidden until the script shows it, and it sends nothing by itself.
        assert!(page.contains("<div class=\"passkey\" hidden "), "{page}");
        // And says why not, until then.
        assert!(page.contains("<noscript>") || page.contains("<p class=\"error\" id=\"no-passkeys\">"), "{page}");
        assert!(page.contains("<button type=\"button\">") && !page.contains("style="), "{page}");
    }
    for page in [render(&code).unwrap(), render(&approve).unwrap()] {
        assert!(page.contains("<label for=\"code\">Recovery code</label>"), "{page}");
    }
    assert_eq!(PASSKEY_POLICY, format!("{POLICY}; script-src 'self'"));
}

fn payment(text: &str) -> PaymentShown {
    PaymentShown {
        id: Id::EXAMPLE.parse().unwrap(),
        from_account: Id::EXAMPLE.parse().unwrap(),
        from_name: text.to_owned(),
        amount: Amount::new(text, text),
        payee: Payee { name: text.to_owned(), account: text.to_owned() },
        name_check: Some(NameCheck::CloseMatch { holder: text.to_owned(), checked_at: text.to_owned() }),
        reference: text.to_owned(),
        expires_at: text.to_owned(),
    }
}

fn page_of(status: u16, retry_after: Option<u64>, request_id: &str) -> String {
    refusal(&Refused { status: StatusCode::from_u16(status).unwrap(), words: None, retry_after, request_id })
}

#[test]
fn a_refusal_says_when_to_come_back_and_what_to_tell_us() {
    let page = page_of(429, Some(61), "0198-id");
    assert!(page.contains("There were too many tries from here. Please try again in 61 seconds."), "{page}");
    assert!(page.contains("<code>0198-id</code>"), "{page}");
    for (seconds, words) in [
        (0, "0 seconds"),
        (1, "1 second"),
        (90, "90 seconds"),
        (91, "2 minutes"),
        (3600, "60 minutes"),
        (5401, "2 hours"),
    ] {
        assert_eq!(time(seconds), words);
    }
    // What a handler says has its own words for when.
    let words = Some("Said.");
    let said = refusal(&Refused { status: StatusCode::OK, words, retry_after: Some(1), request_id: "" });
    assert!(said.contains("Said.") && !said.contains("try again in"), "{said}");
}

fn empty_register(widget: Option<&Widget>) -> RegisterPage<'_> {
    RegisterPage {
        client: "c",
        action: "",
        other: "",
        csrf: "t",
        name: "",
        email: "",
        error: None,
        min_password: 15,
        widget,
    }
}

#[test]
fn with_a_challenge_there_is_one_script_of_ours_and_a_word_for_whoever_runs_none() {
    let widget = Widget::Work(r#"{"a":"'\"<script>alert(1)</script>"}"#.to_owned());
    let login = LoginPage {
        client: "c",
        pays: false,
        action: "",
        other: "",
        csrf: "t",
        email: "",
        error: None,
        widget: Some(&widget),
    };
    for page in [render(&login).unwrap(), render(&empty_register(Some(&widget))).unwrap()] {
        assert_eq!(page.matches("<script").count(), 1, "{page}");
        assert!(page.contains("<script type=\"module\" src=\"/captcha.js\"></script>"), "{page}");
        assert!(page.contains("<altcha-widget name=\"altcha\"") && page.contains("<noscript>"), "{page}");
        assert!(!page.contains("style="), "{page}");
    }
    assert!(CHALLENGE_POLICY.starts_with(POLICY));
}

#[test]
fn a_page_that_does_not_render_is_a_fault_and_no_empty_page() {
    struct Fails;
    impl std::fmt::Display for Fails {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            Err(std::fmt::Error)
        }
    }
    #[derive(Template)]
    #[template(source = "{{ value }}", ext = "txt")]
    struct Broken {
        value: Fails,
    }
    assert_eq!(render(&Broken { value: Fails }), Err(PageRefusal::Internal));
}

#[test]
fn a_form_that_comes_back_says_which_field_is_wrong_and_where_one_goes_on() {
    let complaint = Complaint { text: "E.", wrong: &["email"], focus: "password" };
    let page = render(&RegisterPage { error: Some(complaint), ..empty_register(None) }).unwrap();
    let input = |field: &str| {
        let tag = page.split('<').find(|tag| tag.starts_with(&format!("input id=\"{field}\""))).unwrap();
        (tag.contains(" aria-invalid=\"true\""), tag.contains("error\""), tag.contains(" autofocus"))
    };
    assert_eq!(
        ["name", "email", "password"].map(input),
        [(false, false, false), (true, true, false), (false, true, true)]
    );
    assert!(page.contains("role=\"alert\" id=\"error\">E.<"), "{page}");
    let page = render(&empty_register(None)).unwrap();
    assert!(!page.contains("aria-invalid") && !page.contains("autofocus") && !page.contains("error"), "{page}");
}

#[test]
fn every_refusal_has_a_way_on() {
    for status in (400..=499).chain(500..=599) {
        let page = page_of(status, None, "id");
        let (in_the_app, here) = (page.contains(IN_THE_APP), page.contains("<a href=\"\">Try again</a>"));
        assert!(in_the_app != here, "{status}: {page}");
        let passes = matches!(status, 408 | 429 | 500..);
        assert_eq!(here, passes, "{status}: {page}");
    }
}

#[test]
fn every_field_has_a_label() {
    let page = render(&empty_register(None)).unwrap();
    for field in ["name", "email", "password"] {
        assert!(page.contains(&format!("<label for=\"{field}\"")) && page.contains(&format!("name=\"{field}\"")));
    }
}

/// Whatever the ledger has to say of the payee's name: in words, and nothing is a match but a match.
#[test]
fn a_payer_reads_whether_the_account_belongs_to_the_name() {
    let at = || "2026-11-28T18:00:00.000Z".to_owned();
    let read = |name: &str, name_check: Option<NameCheck>| {
        let payee = Payee { name: name.to_owned(), account: "DE89370400440532013000".to_owned() };
        let payment = PaymentShown { payee, name_check, ..payment("x") };
        let page = ApprovePage {
            client: "c",
            action: "/approve",
            destination: "https://app.test",
            csrf: "token",
            shown: "mark",
            name: "n",
            payment: &payment,
            until: "u",
            factor: None,
            error: None,
        };
        render(&page).unwrap()
    };
    let good =
        "<time datetime=\"2026-11-28T18:00:00.000Z\">28 November 2026</time> that this account belongs to this name.";
    let close = NameCheck::CloseMatch { holder: "Zoë <b>O’Hara</b>".to_owned(), checked_at: at() };
    for (check, words) in [
        (Some(NameCheck::Match { checked_at: at() }), good),
        (Some(close), "belongs to <bdi class=\"holder\">Zoë &#60;b&#62;O’Hara&#60;/b&#62;</bdi>."),
        (Some(NameCheck::NoMatch { checked_at: at() }), "28 November 2026</time> that it is not the account of"),
        (
            Some(NameCheck::NotPossible { checked_at: at() }),
            "The name could not be checked</strong> on <time datetime=\"2026-11-28T18:00:00.000Z\">28 November 2026</time>.",
        ),
        (Some(NameCheck::NotChecked), "The name has not been checked."),
        // A ledger that does not say.
        (None, "The name has not been checked."),
    ] {
        let page = read("Zoe Ohara", check);
        assert!(page.contains(words), "{words}: {page}");
        assert_eq!(page.matches("class=\"check").count(), 1, "{page}");
        assert_eq!(page.contains(good), words == good, "{page}");
    }
    // An account in the house has no name to be checked.
    assert!(!read("", None).contains("class=\"check"));
}
