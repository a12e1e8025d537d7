//! The guard that every request passes: who visits, by which form, and whether their role may.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use http::header::{CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderMap, HeaderValue};
use peerd_core::Reason;
use peerd_core::reason::Code;
use peerd_node::Error;
use tokio::time::timeout;

use crate::console::Console;
use crate::cookie::{self, Cookie};
use crate::fields::Fields;
use crate::layout;
use crate::route::{Entry, Method, Needs, Run, RunUpload};
use crate::session::{Key, same};
use crate::upload::{Source, Upload};
use crate::visit::{Arrival, Visit, redirect};

/// The largest form, in bytes.
const FORM_BYTES_MAX: usize = 512 << 10;
/// The largest form of somebody who is not signed in, in bytes.
const OPEN_FORM_BYTES_MAX: usize = 8 << 10;
/// How long a form may take to come.
const FORM_TIMEOUT: Duration = Duration::from_secs(30);
/// The field that carries the form token.
pub(crate) const FORM_TOKEN: &str = "form_token";

/// What browsers are told about every page.
const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("referrer-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Puts the headers on an answer. What says nothing of how it may be stored is not stored.
pub(crate) async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry("cache-control")
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Answers one request.
pub(crate) async fn serve(
    console: Arc<Console>,
    entry: &Entry,
    params: Vec<(String, String)>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let from = parts.extensions.get::<IpAddr>().copied();
    let arrival = Arrival {
        console: Arc::clone(&console),
        path: parts.uri.path().to_owned(),
        query: Fields::read(parts.uri.query().unwrap_or_default().as_bytes()),
        form: Fields::default(),
        headers: parts.headers,
        from: from.unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
        params,
    };
    let back = back(&arrival, entry);
    let request_id = arrival.header("x-request-id").to_owned();
    let signed_in = arrival.header("cookie").contains("peerd-session");
    let mut visitor = None;
    match pass(entry, arrival, body, &mut visitor).await {
        Ok(response) => response,
        Err(error) => {
            log(&error);
            match visitor {
                Some(visit) if error.reason().code() != Code::Unauthenticated => {
                    layout::failed(&visit, &error, &back, &request_id)
                }
                _ => layout::failure(&error, &back, &request_id, signed_in),
            }
        }
    }
}

/// Answers, or says why not; and who asked, as soon as that is known.
async fn pass(
    entry: &Entry,
    mut arrival: Arrival,
    body: Body,
    visitor: &mut Option<Visit>,
) -> Result<Response, Error> {
    let sent = entry.route.method == Method::Post;
    if let Run::Open(run) = &entry.run {
        if sent {
            arrival.form = form(&arrival.headers, body, OPEN_FORM_BYTES_MAX).await?;
        }
        return run(arrival).await;
    }
    // What a stranger sends is not even read.
    let Some(mut visit) = recognise(&arrival).await? else {
        return strangers(entry, &arrival);
    };
    *visitor = Some(visit.without_form());
    let run = match &entry.run {
        Run::Guarded(run) => run,
        Run::Upload(run) => return upload(entry, visit, run, body).await,
        Run::Open(_) => return Err(Error::of(Reason::Internal)),
    };
    if sent {
        visit.form = form(&arrival.headers, body, FORM_BYTES_MAX).await?;
        check_token(&visit)?;
    }
    if let Needs::Call(action) = entry.route.needs {
        visit.node().admit_call(&visit.caller, action).await?;
    }
    run(visit).await
}

fn check_token(visit: &Visit) -> Result<(), Error> {
    if same(visit.form.text(FORM_TOKEN), &visit.form_token) {
        return Ok(());
    }
    let told = "the form is of an earlier session; open the page again and repeat what you did";
    Err(Error::new(Reason::RoleInsufficient, told))
}

/// A form with a file. Whoever may not send it is refused before it is read, and the rest of one that is refused is taken
/// in all the same: a browser that is cut off while it sends shows no answer.
async fn upload(entry: &Entry, mut visit: Visit, run: &RunUpload, body: Body) -> Result<Response, Error> {
    let source = Source::of(body);
    let rest = source.clone();
    let stopping = visit.console().stopping.clone();
    let answer = async {
        same_site(visit.headers())?;
        if let Needs::Call(action) = entry.route.needs {
            visit.node().admit_call(&visit.caller, action).await?;
        }
        let (fields, upload) = Upload::open(visit.headers(), &source).await?;
        visit.form = fields;
        check_token(&visit)?;
        run(visit, upload).await
    };
    let answer = answer.await;
    stopping.run_until_cancelled(rest.drain()).await;
    answer
}

/// The visitor of a session that goes on, and whose principal still may.
async fn recognise(arrival: &Arrival) -> Result<Option<Visit>, Error> {
    let console = &arrival.console;
    let name = Cookie::Session.name(console.node.enrollment_id(), console.secure);
    let Some(value) = cookie::value(&arrival.headers, &name) else {
        return Ok(None);
    };
    let key = Key::of(&value);
    let Some(known) = console.sessions.find(key, console.node.now()) else {
        return Ok(None);
    };
    match console.node.recheck(&known.caller).await {
        Ok(caller) => Visit::new(arrival.clone(), key, known, caller).await.map(Some),
        Err(error) if error.reason() == Reason::TokenInvalid => {
            console.sessions.end(key);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Somebody without a session is asked to sign in, and comes back where they were going.
fn strangers(entry: &Entry, arrival: &Arrival) -> Result<Response, Error> {
    if entry.route.method == Method::Post || arrival.header("accept").starts_with("text/event-stream") {
        let told = "you are not signed in, or your session has ended";
        return Err(Error::new(Reason::TokenInvalid, told));
    }
    let to: String = form_urlencoded::byte_serialize(arrival.path.as_bytes()).collect();
    Ok(redirect(&format!("/console/sign-in?to={to}")))
}

/// The fields of a form that this site's own pages sent.
async fn form(headers: &HeaderMap, body: Body, bytes_max: usize) -> Result<Fields, Error> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let kind = text(CONTENT_TYPE).unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(Error::new(Reason::FieldInvalid, "not a form of the console"));
    }
    same_site(headers)?;
    let body = timeout(FORM_TIMEOUT, to_bytes(body, bytes_max)).await;
    let body = body.map_err(|_| Error::new(Reason::WaitTimeout, "the form did not come in time"))?;
    let body = body.map_err(|_| Error::new(Reason::TooLarge, "the form is cut off or too large"))?;
    Ok(Fields::read(&body))
}

/// Refuses what another site's page sent.
fn same_site(headers: &HeaderMap) -> Result<(), Error> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let site = headers
        .get("sec-fetch-site")
        .and_then(|value| value.to_str().ok());
    let elsewhere = site.is_some_and(|site| !matches!(site, "same-origin" | "none"));
    // An origin is sent with every form that another site could have made; without one the form token decides alone.
    let origin = text(ORIGIN).and_then(|origin| origin.split_once("://"));
    let strange = origin.is_some_and(|(_, origin)| text(HOST).is_some_and(|host| host != origin));
    if elsewhere || strange {
        let told = "the form comes from another site";
        return Err(Error::new(Reason::RoleInsufficient, told));
    }
    Ok(())
}

/// Where to go on from a failure: for a form the page it stood on, as far as the browser says.
fn back(arrival: &Arrival, entry: &Entry) -> String {
    let home = "/console/".to_owned();
    if entry.route.method == Method::Get {
        return home;
    }
    let referer = arrival.header("referer").split_once("://");
    let here = referer.and_then(|(_, rest)| rest.strip_prefix(arrival.header("host")));
    here.filter(|path| path.starts_with("/console/"))
        .map_or(home, ToOwned::to_owned)
}

/// That the console is switched off.
pub(crate) fn switched_off() -> Response {
    let told = "the console is switched off in the configuration of this daemon";
    layout::failure(&Error::new(Reason::FeatureDisabled, told), "/console/", "", true)
}

fn log(error: &Error) {
    let (reason, shown) = (error.reason(), error as &dyn std::error::Error);
    match reason.code() {
        Code::Internal => tracing::error!(error = shown, %reason, "page failed"),
        Code::Unavailable | Code::Exhausted => tracing::warn!(error = shown, %reason, "page failed"),
        _ => tracing::debug!(error = shown, %reason, "page refused"),
    }
}
