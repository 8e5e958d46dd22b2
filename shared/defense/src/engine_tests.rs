//! A body that takes its time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, HttpResponse, web};
use futures_util::future::LocalBoxFuture;
use futures_util::stream;

use super::*;

const NOW: i64 = 1_800_000_000;

struct At(AtomicI64);

impl Clock for At {
    fn unix_millis(&self) -> i64 {
        self.0.load(Ordering::Relaxed) * 1000
    }
}

/// Writes down by what time it judges.
struct Watch(Needs, Arc<Mutex<Vec<i64>>>);

impl Layer for Watch {
    fn name(&self) -> &'static str {
        "watch"
    }

    fn needs(&self) -> Needs {
        self.0
    }

    fn decide<'a>(&'a self, request: &'a Inbound, _: &'a mut Facts) -> LocalBoxFuture<'a, Decision> {
        Box::pin(async {
            self.1.lock().unwrap().push(request.now);
            Decision::Pass
        })
    }
}

#[actix_web::test]
async fn whatever_needs_the_body_judges_by_the_time_at_which_it_had_come() {
    let (clock, times) = (Arc::new(At(AtomicI64::new(NOW))), Arc::new(Mutex::new(Vec::new())));
    let layers = [Needs::Head, Needs::Body].map(|needs| Box::new(Watch(needs, Arc::clone(&times))) as Box<dyn Layer>);
    let pipeline = Pipeline::new(layers.into(), "https://api.example", Arc::<At>::clone(&clock));
    let slow = move |mut request: ServiceRequest, next: Next<BoxBody>| {
        let (clock, pipeline) = (Arc::clone(&clock), pipeline.clone());
        let body = stream::once(async move {
            clock.0.fetch_add(9, Ordering::Relaxed);
            Ok(Bytes::from_static(b"{}"))
        });
        request.set_payload(Payload::Stream { payload: Box::pin(body) });
        async move { pipeline.run(request, next).await }
    };
    let app = App::new().wrap(from_fn(slow)).route("/", web::post().to(HttpResponse::NoContent));
    let answer = call_service(&init_service(app).await, TestRequest::post().uri("/").to_request()).await;
    assert_eq!(answer.status(), 204);
    assert_eq!(*times.lock().unwrap(), [NOW, NOW + 9]);
}
