//! Signing in and out, and what anybody may ask for.

use http::header::SET_COOKIE;
use http::{HeaderValue, StatusCode};
use maud::{Markup, html};
use peerd_core::Reason;
use peerd_node::Error;

use crate::cookie::{self, Cookie};
use crate::guard::FORM_TOKEN;
use crate::layout::{self, Page, Section};
use crate::parts::{copyable, empty, when};
use crate::route::{Entry, Method, open, session};
use crate::session::{Key, Shown, same};
use crate::visit::{Arrival, Outcome, Visit, html as answer, redirect};
use crate::{assets, qr};

pub(crate) fn routes() -> Vec<Entry> {
    vec![
        open(Method::Get, "/", to_home),
        open(Method::Get, "/console", to_home),
        open(Method::Get, "/favicon.ico", icon),
        open(Method::Get, "/console/assets/{version}/{name}", assets::serve),
        open(Method::Get, "/console/sign-in", form),
        open(Method::Post, "/console/sign-in", sign_in),
        open(Method::Get, "/console/{*rest}", nothing),
        session(Method::Post, "/console/sign-out", sign_out),
        session(Method::Get, "/console/once/{name}", once),
    ]
}

async fn to_home(_: Arrival) -> Outcome {
    Ok(redirect("/console/"))
}

async fn icon(_: Arrival) -> Outcome {
    Ok(redirect(&assets::path("icon.svg")))
}

async fn nothing(_: Arrival) -> Outcome {
    Err(Error::not_found("page"))
}

async fn form(arrival: Arrival) -> Outcome {
    sheet(&arrival, None)
}

/// The sign-in form. It carries a token of its own: another site could otherwise sign a browser in as somebody else.
#[expect(clippy::unnecessary_wraps, reason = "it is what its callers answer with")]
fn sheet(arrival: &Arrival, error: Option<&Error>) -> Outcome {
    let console = &arrival.console;
    let name = Cookie::SignIn.name(console.node.enrollment_id(), console.secure);
    // A form that is open in another tab stays good.
    let kept = cookie::value(&arrival.headers, &name);
    let kept = kept.filter(|token| token.len() == 64 && token.bytes().all(|b| b.is_ascii_hexdigit()));
    let token = kept.unwrap_or_else(|| console.sessions.secret());
    let to = destination(arrival.query.text("to"), arrival.form.text("to"));
    let body = html! {
        div.sign-in {
            p.brand { span.mark aria-hidden="true" {} "peerd" }
            h1 { "Sign in" }
            (problem(error))
            form method="post" action="/console/sign-in" {
                input type="hidden" name=(FORM_TOKEN) value=(token);
                input type="hidden" name="to" value=(to);
                div.field {
                    label for="token" { "Token" }
                    input #token name="token" type="password" autocomplete="current-password" required autofocus
                        spellcheck="false" aria-describedby="token-hint";
                    p.hint #token-hint {
                        "An administrator gave it to you. The first one is in " code { "admin.token" }
                        " of the data directory."
                    }
                }
                p.actions { button.primary type="submit" { "Sign in" } }
            }
        }
    };
    let code = error.map_or(200, |error| error.reason().code().http());
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = answer(status, layout::outside("Sign in · peerd", &body));
    let cookie = Cookie::SignIn.set(console.node.enrollment_id(), console.secure, Some(&token));
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}

fn problem(error: Option<&Error>) -> Markup {
    html! {
        @if let Some(error) = error {
            div.alert role="alert" {
                @match error.reason() {
                    Reason::TokenInvalid => p { "This is not a valid token." },
                    Reason::RateLimited => p { "Too many attempts. Wait a minute and try again." },
                    _ => p { (error.told()) },
                }
                p.reason { "Reason " code { (error.reason().word()) } }
            }
        }
    }
}

/// Where somebody was going: a page of the console, and nothing else.
fn destination<'a>(asked: &'a str, kept: &'a str) -> &'a str {
    let to = if asked.is_empty() { kept } else { asked };
    let plain = to.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if to.starts_with("/console/") && plain && !to.starts_with("/console/sign") {
        to
    } else {
        "/console/"
    }
}

async fn sign_in(arrival: Arrival) -> Outcome {
    let console = &arrival.console;
    let (enrollment, secure) = (console.node.enrollment_id(), console.secure);
    let name = Cookie::SignIn.name(enrollment, secure);
    let expected = cookie::value(&arrival.headers, &name).unwrap_or_default();
    if !same(arrival.form.text(FORM_TOKEN), &expected) {
        let told = "the form was open for too long, or this browser keeps no cookies; try again";
        return sheet(&arrival, Some(&Error::new(Reason::RoleInsufficient, told)));
    }
    let token = arrival.form.text("token").trim();
    let caller = match console.entrance.authenticate(token, arrival.from).await {
        Ok(caller) => caller,
        Err(error) => return sheet(&arrival, Some(&error)),
    };
    tracing::info!(principal = %caller.principal().name, from = %arrival.from, "signed in to the console");
    // Whoever signs in anew leaves the session that this browser had.
    let name = Cookie::Session.name(enrollment, secure);
    if let Some(before) = cookie::value(&arrival.headers, &name) {
        console.sessions.end(Key::of(&before));
    }
    let session = console.sessions.begin(caller, console.node.now());
    let mut response = redirect(destination(arrival.form.text("to"), ""));
    let cookies = [
        Cookie::Session.set(enrollment, secure, Some(&session)),
        Cookie::SignIn.set(enrollment, secure, None),
    ];
    for cookie in cookies {
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }
    Ok(response)
}

async fn sign_out(visit: Visit) -> Outcome {
    let console = visit.console();
    console.sessions.end(visit.key);
    let mut response = redirect("/console/sign-in");
    let cookie = Cookie::Session.set(console.node.enrollment_id(), console.secure, None);
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// A code or token, this once.
async fn once(visit: Visit) -> Outcome {
    let shown = visit.console().sessions.take(visit.key, visit.param("name"));
    let Some(shown) = shown else {
        let body = html! {
            h1 { "Shown already" }
            (empty(
                "A code or token is shown once, and this one was.",
                &html! { "If it was not copied, make a new one where the first was made." },
            ))
        };
        return visit.page(&Page::new(Section::Connections, "Shown already"), &body);
    };
    let Shown {
        title,
        text,
        hint,
        until,
        next,
        as_picture,
    } = shown;
    let label = if as_picture { "invite code" } else { "token" };
    let body = html! {
        h1 { (title) }
        div.card.once {
            p { (hint) }
            p.strong {
                "It is shown this once."
                @if let Some(until) = until { " It is valid until " (when(until)) "." }
            }
            (copyable(label, &text))
            @if as_picture {
                @if let Some(picture) = qr::svg(&text) {
                    details { summary { "Show as a QR code" } (picture) }
                }
            }
            p.actions { a.button href=(next) { "Done" } }
        }
    };
    visit.page(&Page::new(Section::Connections, &title), &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_comes_back_to_pages_of_the_console_and_nowhere_else() {
        assert_eq!(destination("/console/links", ""), "/console/links");
        for elsewhere in [
            "https://example.org/",
            "//example.org",
            "/console/\\evil",
            "",
            "/console/sign-out",
        ] {
            assert_eq!(destination(elsewhere, ""), "/console/", "{elsewhere}");
        }
    }
}
