//! One request to the console, and what a page may do with it.

use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use maud::Markup;
use peerd_core::authz::{Access, Action, Role, Space, allows, authorize};
use peerd_core::{Reason, SpaceId};
use peerd_node::enrollment::EnrollmentView;
use peerd_node::{Caller, Error, Node};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::console::Console;
use crate::fields::Fields;
use crate::layout::{self, Page};
use crate::session::{Key, Known, Shown};

/// What a page answers.
pub(crate) type Outcome = Result<Response, Error>;

/// A request of whoever it is.
#[derive(Clone)]
pub(crate) struct Arrival {
    pub(crate) console: Arc<Console>,
    pub(crate) path: String,
    pub(crate) query: Fields,
    pub(crate) form: Fields,
    pub(crate) headers: HeaderMap,
    pub(crate) from: IpAddr,
    pub(crate) params: Vec<(String, String)>,
}

impl Arrival {
    /// A header as text; empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }

    /// A part of the path.
    pub(crate) fn param(&self, name: &str) -> &str {
        let mut params = self.params.iter();
        params
            .find(|(known, _)| known == name)
            .map_or("", |(_, value)| value.as_str())
    }
}

/// A request of somebody who is signed in.
pub(crate) struct Visit {
    arrival: Arrival,
    pub(crate) caller: Caller,
    pub(crate) query: Fields,
    pub(crate) form: Fields,
    pub(crate) form_token: String,
    pub(crate) key: Key,
    pub(crate) ended: CancellationToken,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) notice: Option<String>,
    pub(crate) enrollment: EnrollmentView,
    /// Whether they are listed as a manager of some space, whatever else their role is.
    manages: bool,
}

impl Visit {
    pub(crate) async fn new(
        arrival: Arrival,
        key: Key,
        known: Known,
        caller: Caller,
    ) -> Result<Visit, Error> {
        let node = &arrival.console.node;
        let manages = match caller.principal().role {
            Role::EnrollmentAdmin | Role::SpaceManager => true,
            _ => node.manages_some_space(&caller).await?,
        };
        let enrollment = node.show_enrollment(&caller).await?;
        Ok(Visit {
            query: arrival.query.clone(),
            form: arrival.form.clone(),
            caller,
            form_token: known.form_token,
            key,
            ended: known.ended,
            streams: known.streams,
            notice: known.notice,
            enrollment,
            manages,
            arrival,
        })
    }

    /// The same visitor without what they sent: what a page about a failure needs.
    pub(crate) fn without_form(&self) -> Visit {
        Visit {
            arrival: self.arrival.clone(),
            caller: self.caller.clone(),
            query: Fields::default(),
            form: Fields::default(),
            form_token: self.form_token.clone(),
            key: self.key,
            ended: self.ended.clone(),
            streams: Arc::clone(&self.streams),
            notice: None,
            enrollment: self.enrollment.clone(),
            manages: self.manages,
        }
    }

    pub(crate) fn console(&self) -> &Arc<Console> {
        &self.arrival.console
    }

    /// The use-cases.
    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.arrival.console.node
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.arrival.headers
    }

    /// The path of the request.
    pub(crate) fn path(&self) -> &str {
        &self.arrival.path
    }

    /// A part of the path, as text.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.arrival.param(name)
    }

    /// A part of the path that is an id. One that is none names nothing.
    pub(crate) fn id<T: FromStr>(&self, name: &str, what: &str) -> Result<T, Error> {
        self.param(name).parse().map_err(|_| Error::not_found(what))
    }

    /// Whether they may take an action somewhere: whether a page shows a way to it. The use-case decides.
    pub(crate) fn may(&self, action: Action) -> bool {
        let role = self.caller.principal().role;
        let as_manager = self.manages && allows(Role::SpaceManager, action) != Access::Never;
        as_manager || allows(role, action) != Access::Never
    }

    /// Whether they may take an action in a space of those they see.
    pub(crate) fn may_in(&self, action: Action, space: Option<SpaceId>, spaces: &[Space]) -> bool {
        let space = space.and_then(|id| spaces.iter().find(|space| space.id == id));
        authorize(Some(self.caller.principal()), action, space).is_ok()
    }

    /// The spaces they see, by name; at most 1,000.
    pub(crate) async fn spaces(&self) -> Result<Vec<Space>, Error> {
        let (mut spaces, _) = self.node().list_spaces(&self.caller, None, 1_000).await?;
        spaces.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(spaces)
    }

    /// The page, with everything around it.
    #[expect(clippy::unnecessary_wraps, reason = "it is what pages answer with")]
    pub(crate) fn page(&self, page: &Page<'_>, body: &Markup) -> Outcome {
        if self.notice.is_some() {
            self.console().sessions.noticed(self.key);
        }
        Ok(html(StatusCode::OK, layout::page(self, page, body)))
    }

    /// The page again after a form that was refused: what was written is kept, and why is said.
    #[expect(clippy::unnecessary_wraps, reason = "it is what pages answer with")]
    pub(crate) fn again(&self, error: &Error, page: &Page<'_>, body: &Markup) -> Outcome {
        let status = StatusCode::from_u16(error.reason().code().http());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Ok(html(status, layout::page(self, page, body)))
    }

    /// After a form: go on to another page, which says what was done.
    #[expect(clippy::unnecessary_wraps, reason = "it is what pages answer with")]
    pub(crate) fn done(&self, to: &str, notice: impl Into<String>) -> Outcome {
        self.console().sessions.notify(self.key, notice.into());
        Ok(redirect(to))
    }

    /// After a form that made a secret: go on to the page that shows it once.
    #[expect(clippy::unnecessary_wraps, reason = "it is what pages answer with")]
    pub(crate) fn show_once(&self, shown: Shown) -> Outcome {
        let name = self.console().sessions.keep(self.key, shown);
        Ok(redirect(&format!("/console/once/{name}")))
    }
}

/// Whether a form is shown again with this error, instead of a page that says no more than the error.
pub(crate) fn is_correctable(error: &Error) -> bool {
    use peerd_core::reason::Code;
    let code = error.reason().code();
    !matches!(code, Code::Internal | Code::Unauthenticated | Code::Unavailable)
        && error.reason() != Reason::RoleInsufficient
}

/// A page as an answer.
pub(crate) fn html(status: StatusCode, page: Markup) -> Response {
    let mut response = Response::new(Body::from(page.into_string()));
    *response.status_mut() = status;
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, html);
    response
}

/// Sends a browser elsewhere, by GET.
pub(crate) fn redirect(to: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/console/"));
    response.headers_mut().insert(LOCATION, to);
    response
}

/// One part of a path, written so that nothing in it is taken for more than that.
pub(crate) fn segment(part: impl Display) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const PART: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'~');
    let part = part.to_string();
    // A lone dot or two would be taken away by the browser, whatever their spelling.
    utf8_percent_encode(&part, PART).to_string()
}
