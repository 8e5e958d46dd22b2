//! A person in Chromium who is asked for a vendor's captcha: the vendor's script runs under our policy, ours that asks it for a token does what it
//! should, and nothing of it is loaded before somebody is asked. Synthetic vendors, in the browser and behind the broker, which is a stand-in.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use actix_web::{HttpResponse, web};
use defense::captcha::siteverify::{SiteverifyConfig, VendorName};
use huskarl::grant::authorization_code::StartInput;
use serde_json::{Value, json};
use testkit::pki::Pki;
use testkit::server::{self, Server};

use crate::drivers::{PLAYWRIGHT, browser};
use crate::npm::Script;
use crate::world::{REDIRECT, Setup, World, scopes};

/// Says of a token what stands in it, as far as the manifest of the vendor lets it pass.
async fn broker(pki: &Pki) -> Server {
    let routes: server::Configure = Arc::new(|config: &mut web::ServiceConfig| {
        config.default_service(web::to(|call: web::Json<Value>| {
            let token = crypto::b64::decode(call.pointer("/params/response").and_then(Value::as_str).unwrap()).unwrap();
            let result: Value = serde_json::from_slice(&token).unwrap();
            std::future::ready(HttpResponse::Ok().json(json!({ "result": result })))
        }));
    });
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Server::start(free, &pki.internal("broker"), Some(&pki.internal_ca()), routes).await.unwrap()
}

async fn world(vendor: VendorName) -> (World, Server) {
    let pki = Pki::temporary().unwrap();
    let broker = broker(&pki).await;
    let siteverify = SiteverifyConfig {
        vendor,
        site_key: "site-key".to_owned(),
        hostnames: vec!["localhost".to_owned()],
        min_score: 0.5,
        broker_url: broker.url(),
        provider: "vendor".to_owned(),
    };
    (World::start_in(pki, REDIRECT, |config| config.captcha.siteverify = Some(siteverify)).await, broker)
}

#[tokio::test]
async fn chromium_lets_each_vendors_script_answer_and_loads_nothing_of_it_before() {
    let Some(browser) = browser().await else { return };
    let Some(mut script) = Script::start(&PLAYWRIGHT, include_str!("vendors.mjs"), &[("BROWSER", &*browser)]).await
    else {
        return;
    };
    for (vendor, name, hosts) in [
        (VendorName::Recaptcha, "recaptcha", json!(["www.google.com"])),
        (VendorName::Hcaptcha, "hcaptcha", json!(["js.hcaptcha.com", "newassets.hcaptcha.com"])),
        (VendorName::Turnstile, "turnstile", json!(["challenges.cloudflare.com"])),
    ] {
        let (world, _broker) = world(vendor).await;
        let grant = world.grant(&world.metadata().await, Setup::default()).await;
        for _ in 0..2 {
            let started = grant.start(StartInput::scope(scopes())).await.unwrap();
            script.tell(&format!("{name} {}", started.authorization_url)).await;
        }
        let found: Value = script.told("found").await;
        let expected = json!({ "vendor": name, "consents": true, "complaints": [], "asked": hosts, "before": [] });
        assert_eq!(found, expected);
        world.stop().await;
    }
    script.ended().await;
}
