//! The console of `cargo xtask up`: what runs, what is asked of it and what is refused, for whoever sits at the machine. Development only: nothing else
//! starts it, and it listens on loopback ([`testkit::pages`] says what else holds of its pages).
//!
//! It only reads: the services' logs, their health, the ledger's invariants and signed receipts as the operator, and the collector's spans. What must hold:
//! nothing is shown as well that was not asked; whoever does not answer in time costs its own part of a page, with the cause, and no other; whatever a
//! client has sent is text (the templates escape it).

mod ask;
mod edge;
mod form;
mod logs;
mod pages;
mod show;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use reqwest::Client;
use testkit::pages::{Asked, Page};
use testkit::pki::Pki;
use testkit::server::{self, Server};

use crate::narrator::Narrator;
use crate::stack::Stack;
use form::{Field, Form};

/// Between two looks at a page that is live.
const AGAIN: u32 = 5;
/// Lines of a list that has a page of its own, and of one that has not.
const LISTED: usize = 200;
const LAST: usize = 8;

/// Of one system.
pub struct Console {
    stack: Stack,
    pki: Pki,
    /// With the operator's certificate.
    operator: Client,
    plain: Client,
    /// Whether there are the users of [`crate::seed`].
    seeded: bool,
    /// Where a browser comes to the analysts' desk.
    desk: Option<String>,
}

/// Serves the console of the system that the file describes, and beside it a door to the analysts' desk, until whoever started us is gone.
///
/// # Errors
///
/// It cannot be served.
pub async fn run(narrator: &Narrator, description: &str, listen: &str, desk: &str, seeded: bool) -> Result<()> {
    let address = |text: &str| text.parse().with_context(|| format!("{text} is no address"));
    let mut console = Console::of(Stack::read(description)?, seeded)?;
    let door = console.open_desk(address(desk)?).await?;
    console.desk = Some(door.url());
    let server = console.serve(address(listen)?).await?;
    narrator.line(&format!("ready {}", server.url()));
    server::parent_gone().await;
    Ok(())
}

impl Console {
    /// Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// The keys and certificates cannot be read.
    pub fn of(stack: Stack, seeded: bool) -> Result<Self> {
        let pki = Pki::create(&stack.pki)?;
        let operator = server::client(&pki.internal_ca(), Some(&pki.internal("operator")))?;
        let plain = server::client(&pki.public_ca(), None)?;
        Ok(Self { stack, pki, operator, plain, seeded, desk: None })
    }

    /// A door to the desk, for a browser that has no certificate: this machine's own analyst goes in.
    async fn open_desk(&self, listen: SocketAddr) -> Result<Server> {
        let behavior = self.stack.services.iter().find(|service| service.name == "behavior");
        let origin = &behavior.context("this system has no behavior service")?.internal_url;
        let analyst = server::client(&self.pki.internal_ca(), Some(&self.pki.internal("analyst")))?;
        testkit::door::open(listen, &self.pki.public("console"), analyst, origin, "/desk").await
    }

    /// Until what is returned is dropped.
    ///
    /// # Errors
    ///
    /// `listen` is not on loopback, or is taken.
    pub async fn serve(self, listen: SocketAddr) -> Result<Server> {
        let identity = self.pki.public("console");
        let console = Arc::new(self);
        let maker = move |asked| -> testkit::pages::Making {
            let console = Arc::clone(&console);
            Box::pin(async move { console.page(&asked).await })
        };
        testkit::pages::serve(listen, &identity, pages::STYLE, Arc::new(maker)).await
    }

    async fn page(&self, asked: &Asked) -> Page {
        let form = |fields| Form::read(asked, fields);
        let path: Vec<&str> = asked.path.split('/').skip(1).collect();
        let made = match path.as_slice() {
            [""] => self.overview(&form(vec![Field::live()])).await,
            ["requests"] => self.requests(form(vec![Field::live(), Field::page()])).await,
            ["requests", id] if is_id(id) => self.request(&form(Vec::new()), id).await,
            ["refusals"] => self.refusals(form(self.refusal_fields())).await,
            ["traces"] => self.traces(form(self.trace_fields())).await,
            ["traces", id] if is_id(id) => self.trace(&form(Vec::new()), id).await,
            _ => pages::absent("There is no such page."),
        };
        made.unwrap_or_else(|error| Page { status: 500, html: pages::fault(&error), again: None }) // Default: it is said.
    }
}

/// What names a request or a trace; it becomes a part of the URLs that are asked.
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}
