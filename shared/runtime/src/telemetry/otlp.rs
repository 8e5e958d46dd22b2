//! OTLP over HTTP as protobuf, through the one HTTP client of the house.

use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{MetricExporter, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use tokio::runtime::Handle;

use crate::{clients, tls};

/// More than any receiver has to say.
const MAX_ANSWER: usize = 64 * 1024;

pub(super) struct Exporters {
    pub(super) spans: SpanExporter,
    pub(super) metrics: MetricExporter,
}

/// Exporters to `<endpoint>/v1/traces` and `<endpoint>/v1/metrics`.
pub(super) fn exporters(endpoint: &str) -> Result<Exporters> {
    let endpoint = endpoint.trim_end_matches('/');
    // Plain HTTP: the receiver is a collector on the same host or pod.
    let client = Client { http: clients::build(tls::no_tls()?)?, runtime: Handle::try_current()? };
    let timeout = Duration::from_secs(3);
    let spans = SpanExporter::builder()
        .with_http()
        .with_http_client(client.clone())
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{endpoint}/v1/traces"))
        .with_timeout(timeout)
        .build()?;
    let metrics = MetricExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{endpoint}/v1/metrics"))
        .with_timeout(timeout)
        .build()?;
    Ok(Exporters { spans, metrics })
}

/// The SDK exports from threads of its own, which have no tokio: the request runs on the runtime that made the client.
#[derive(Debug, Clone)]
struct Client {
    http: reqwest::Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let http = self.http.clone();
        let sending = async move {
            let mut answer = http.execute(request.try_into()?).await?;
            let mut response = Response::builder().status(answer.status());
            if let Some(headers) = response.headers_mut() {
                headers.extend(answer.headers().clone());
            }
            let mut body = Vec::new();
            while let Some(chunk) = answer.chunk().await? {
                if body.len() + chunk.len() > MAX_ANSWER {
                    return Err(HttpError::from("the receiver's answer is too large"));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(response.body(Bytes::from(body))?)
        };
        self.runtime.spawn(sending).await?
    }
}
