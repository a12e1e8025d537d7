//! The table of routes: what there is, and what a visitor needs for it.

use std::fmt;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use peerd_core::authz::Action;

use crate::pages;
use crate::upload::Upload;
use crate::visit::{Arrival, Outcome, Visit};

/// How a route is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// It changes nothing.
    Get,
    /// It may change something; it carries a form with its token.
    Post,
}

/// What a visitor needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: what anybody may see tells nothing of the enrollment.
    Nothing,
    /// A session, whatever the role.
    Session,
    /// A session of somebody who may make this call of the API somewhere. Where, the use-case asks.
    Call(Action),
}

/// One route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// How it is asked for.
    pub method: Method,
    /// Its path; a part in braces stands for any text.
    pub path: &'static str,
    /// What a visitor needs.
    pub needs: Needs,
}

/// Every route of the console.
pub fn routes() -> Vec<Route> {
    table().into_iter().map(|entry| entry.route).collect()
}

/// What answers a form with a file.
pub(crate) type RunUpload = Arc<dyn Fn(Visit, Upload) -> BoxFuture<'static, Outcome> + Send + Sync>;

/// What answers a route.
pub(crate) enum Run {
    /// To anybody.
    Open(Arc<dyn Fn(Arrival) -> BoxFuture<'static, Outcome> + Send + Sync>),
    /// To whoever passed the guard.
    Guarded(Arc<dyn Fn(Visit) -> BoxFuture<'static, Outcome> + Send + Sync>),
    /// To whoever passed the guard, with a form that has a file.
    Upload(RunUpload),
}

/// A route and what answers it.
pub(crate) struct Entry {
    pub(crate) route: Route,
    pub(crate) run: Run,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.route.fmt(f)
    }
}

/// The whole table.
pub(crate) fn table() -> Vec<Entry> {
    [
        pages::sign_in::routes(),
        pages::home::routes(),
        pages::request::routes(),
        pages::invite::routes(),
        pages::connection::routes(),
        pages::network::routes(),
        pages::policies::routes(),
        pages::control::routes(),
        pages::people::routes(),
        pages::security::routes(),
        pages::audit::routes(),
        pages::objects::routes(),
        pages::ontology::routes(),
        pages::files::routes(),
        crate::live::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A page for anybody.
pub(crate) fn open<F>(method: Method, path: &'static str, run: fn(Arrival) -> F) -> Entry
where
    F: Future<Output = Outcome> + Send + 'static,
{
    let route = Route {
        method,
        path,
        needs: Needs::Nothing,
    };
    let run = Run::Open(Arc::new(move |arrival| run(arrival).boxed()));
    Entry { route, run }
}

/// A page for whoever has a session.
pub(crate) fn session<F>(method: Method, path: &'static str, run: fn(Visit) -> F) -> Entry
where
    F: Future<Output = Outcome> + Send + 'static,
{
    guarded(method, path, Needs::Session, run)
}

/// A page for whoever may take this action.
pub(crate) fn get<F>(path: &'static str, action: Action, run: fn(Visit) -> F) -> Entry
where
    F: Future<Output = Outcome> + Send + 'static,
{
    guarded(Method::Get, path, Needs::Call(action), run)
}

/// What whoever may take this action does with a form.
pub(crate) fn post<F>(path: &'static str, action: Action, run: fn(Visit) -> F) -> Entry
where
    F: Future<Output = Outcome> + Send + 'static,
{
    guarded(Method::Post, path, Needs::Call(action), run)
}

/// What whoever may take this action does with a form that has a file. The role is asked for before the form is read.
pub(crate) fn upload<F>(path: &'static str, action: Action, run: fn(Visit, Upload) -> F) -> Entry
where
    F: Future<Output = Outcome> + Send + 'static,
{
    let route = Route {
        method: Method::Post,
        path,
        needs: Needs::Call(action),
    };
    let run = Run::Upload(Arc::new(move |visit, upload| run(visit, upload).boxed()));
    Entry { route, run }
}

fn guarded<F>(method: Method, path: &'static str, needs: Needs, run: fn(Visit) -> F) -> Entry
where
    F: Future<Output = Outcome> + Send + 'static,
{
    let route = Route { method, path, needs };
    let run = Run::Guarded(Arc::new(move |visit| run(visit).boxed()));
    Entry { route, run }
}
