//! A stand-in for behavior that listens, is away, or refuses.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde_json::{Value, json};
use testkit::pki::Pki;
use testkit::scene::until;
use testkit::server::{self, Server};

use crate::database::count;
use crate::world::World;

/// How it answers.
#[derive(Clone, Copy, Default)]
pub(crate) enum Says {
    #[default]
    Taken,
    Refused,
    Ahead,
    /// With this status, of whatever it is told.
    Nothing(u16),
    /// That it does not know this kind, of a batch that has one; else as it should.
    Unread(&'static str),
    /// When it is too late.
    Late,
}

pub(crate) struct Behavior {
    pub(crate) server: Server,
    told: Arc<Mutex<Vec<Value>>>,
    says: Arc<Mutex<Says>>,
}

impl Behavior {
    pub(crate) async fn start() -> Self {
        let pki = Pki::create(Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/auth-pki"))).unwrap();
        let (told, says) = (Arc::<Mutex<Vec<Value>>>::default(), Arc::<Mutex<Says>>::default());
        let (hears, answers) = (Arc::clone(&told), Arc::clone(&says));
        let routes: server::Configure = Arc::new(move |config: &mut web::ServiceConfig| {
            let (hears, answers) = (Arc::clone(&hears), Arc::clone(&answers));
            let answer = move |body: web::Json<Value>| {
                let (hears, says) = (Arc::clone(&hears), *answers.lock().unwrap());
                async move {
                    let events = body["events"].as_array().unwrap().clone();
                    let problem = |status| {
                        let problem = json!({ "type": "", "title": "", "status": status, "code": "server.busy" });
                        HttpResponse::build(StatusCode::from_u16(status).unwrap()).json(problem)
                    };
                    let (outcome, code) = match says {
                        Says::Unread(kind) if events.iter().any(|event| event["kind"] == kind) => return problem(400),
                        Says::Taken | Says::Unread(_) => ("taken", None),
                        Says::Refused => ("refused", Some("request.invalid")),
                        Says::Ahead => ("refused", Some("behavior.from_future")),
                        Says::Nothing(status) => return problem(status),
                        Says::Late => {
                            tokio::time::sleep(Duration::from_mins(1)).await;
                            return HttpResponse::Ok().finish();
                        }
                    };
                    let result = |event: &Value| json!({ "id": event["id"], "outcome": outcome, "code": code });
                    let results: Vec<Value> = events.iter().map(result).collect();
                    // What it does not take it has not learned.
                    if outcome == "taken" {
                        hears.lock().unwrap().extend(events);
                    }
                    HttpResponse::Ok().json(json!({ "results": results }))
                }
            };
            config.route("/internal/v1/events", web::post().to(answer));
        });
        let (certificate, ca) = (pki.internal("behavior"), pki.internal_ca());
        let server = Server::start(server::FREE, &certificate, Some(&ca), routes).await.unwrap();
        Self { server, told, says }
    }

    /// A world that tells it.
    pub(crate) async fn world(&self) -> World {
        let url = self.server.url();
        World::start_with(|config| config.behavior_url = Some(url)).await
    }

    pub(crate) fn say(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    /// What it was told, in the order in which it happened.
    pub(crate) fn told(&self) -> Vec<Value> {
        let mut told = self.told.lock().unwrap().clone();
        told.sort_by_key(|event| event["at_unix_millis"].as_i64());
        told
    }

    /// The kinds of that.
    pub(crate) fn kinds(&self) -> Vec<String> {
        self.told().iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
    }
}

pub(crate) async fn left(world: &World) -> i64 {
    count(world, "select count(*) as count from outbox").await
}

pub(crate) async fn all_told(world: &World) {
    until(async || left(world).await == 0).await;
}
