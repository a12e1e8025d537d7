//! Creating a peer request.

use maud::{Markup, html};
use peerd_core::authz::{Action, Space};
use peerd_core::name::Name;
use peerd_core::peering::{DataTypes, Flow};
use peerd_core::security::{Levels, Security};
use peerd_node::Error;
use peerd_node::connection::Ask;
use peerd_node::link::{Invitation, LinkView};

use crate::fields::Fields;
use crate::layout::{Page, Section};
use crate::parts::{
    alert, data_types_fields, empty, form_token, hours_field, known_security, security_fields, select_field,
    submit,
};
use crate::route::{Entry, get, post};
use crate::session::Shown;
use crate::visit::{Outcome, Visit, is_correctable};

pub(crate) fn routes() -> Vec<Entry> {
    vec![
        get("/console/request", Action::ConnectionRequest, form),
        post("/console/request", Action::ConnectionRequest, request),
        post(
            "/console/connections/{id}/reissue",
            Action::ConnectionReissue,
            reissue,
        ),
    ]
}

fn page() -> Page<'static> {
    Page::new(Section::Connections, "Create a peer request").below("/console/", "Connections")
}

async fn form(visit: Visit) -> Outcome {
    let body = sheet(&visit, None).await?;
    visit.page(&page(), &body)
}

async fn request(visit: Visit) -> Outcome {
    match requested(&visit).await {
        Ok(invited) => shown(&visit, invited),
        Err(error) if is_correctable(&error) => {
            let body = sheet(&visit, Some(&error)).await?;
            visit.again(&error, &page(), &body)
        }
        Err(error) => Err(error),
    }
}

async fn requested(visit: &Visit) -> Result<Invitation<peerd_core::ConnectionId>, Error> {
    let form = &visit.form;
    let ask = Ask {
        space: form.reference("space")?.to_owned(),
        link: form.reference("link")?.to_owned(),
        flow: Flow {
            exports: form.data_types("export"),
            imports: form.data_types("import"),
        },
        security: form.security()?,
        lifetime: form.hours("hours")?,
    };
    visit.node().request_connection(&visit.caller, ask).await
}

async fn reissue(visit: Visit) -> Outcome {
    let id = visit.id("id", "connection")?;
    let lifetime = visit.form.hours("hours")?;
    let invited = visit.node().reissue_invite(&visit.caller, id, lifetime).await?;
    shown(&visit, invited)
}

fn shown(visit: &Visit, invited: Invitation<peerd_core::ConnectionId>) -> Outcome {
    let Invitation { id, code, expires_at } = invited;
    visit.show_once(Shown {
        title: "Invite code".to_owned(),
        text: code,
        hint: "Give this code to an operator of the other side, by whatever way you trust. It works once, \
               and only for the enrollment it was made for."
            .to_owned(),
        until: Some(expires_at),
        next: format!("/console/connections/{id}"),
        as_picture: true,
    })
}

async fn sheet(visit: &Visit, error: Option<&Error>) -> Result<Markup, Error> {
    let spaces = visit.spaces().await?;
    let spaces: Vec<&Space> = spaces
        .iter()
        .filter(|space| visit.may_in(Action::ConnectionRequest, Some(space.id), &spaces))
        .collect();
    let (links, _) = visit.node().list_links(&visit.caller, None, 1_000).await?;
    let links: Vec<&LinkView> = links.iter().filter(|view| view.link.is_established()).collect();
    let (levels, markings) = known_security(visit).await?;
    Ok(html! {
        h1 { "Create a peer request" }
        (alert(error))
        @if visit.enrollment.title.is_none() {
            (empty("This enrollment has no platform title.", &html! {
                "Others see it in a request. An administrator sets it in the "
                a href="/console/control" { "Control Panel" } "."
            }))
        } @else if links.is_empty() {
            (empty("There is no complete link to another enrollment.", &html! {
                "A request goes over a link. Make one on the " a href="/console/network" { "Network" } " page."
            }))
        } @else if spaces.is_empty() {
            (empty("There is no space that you manage.", &html! {
                "A connection joins a space here to one there. An administrator makes spaces in the "
                a href="/console/spaces" { "Control Panel" } "."
            }))
        } @else {
            (fields(visit, &spaces, &links, &levels, &markings)?)
        }
    })
}

fn fields(
    visit: &Visit,
    spaces: &[&Space],
    links: &[&LinkView],
    levels: &Levels,
    markings: &[Name],
) -> Result<Markup, Error> {
    let sent = &visit.form;
    let first = sent.text("space").is_empty();
    let spaces: Vec<_> = spaces.iter().map(|space| named(space)).collect();
    let links: Vec<_> = links.iter().map(|view| remote(view)).collect();
    let objects = DataTypes {
        objects: true,
        artifacts: false,
    };
    let (exports, imports) = if first {
        (objects, objects)
    } else {
        (sent.data_types("export"), sent.data_types("import"))
    };
    let security = if first {
        Security::default()
    } else {
        sent.security()?
    };
    let default = Fields::read(b"hours=72");
    Ok(html! {
        form.card method="post" action="/console/request" {
            (form_token(visit))
            div.pair {
                (select_field(sent, "space", "Space here", "", &spaces))
                (select_field(sent, "link", "With", "The enrollment at the other end of the link", &links))
            }
            (data_types_fields(exports, imports))
            (security_fields(levels.as_slice(), markings, &security))
            (hours_field(if first { &default } else { sent }, "hours", "The code is valid for", None))
            (submit("Create request"))
        }
    })
}

pub(super) fn named(space: &Space) -> (String, String) {
    let title = space.title.as_ref().map(ToString::to_string);
    let title = title.map_or_else(
        || space.name.to_string(),
        |title| format!("{title} ({})", space.name),
    );
    (space.name.to_string(), title)
}

fn remote(view: &LinkView) -> (String, String) {
    let link = &view.link;
    let title = link.remote.as_ref().and_then(|remote| remote.title.as_ref());
    let title = title.map_or_else(
        || link.name.to_string(),
        |title| format!("{title} ({})", link.name),
    );
    (link.id.to_string(), title)
}
