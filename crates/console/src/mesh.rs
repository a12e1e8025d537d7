//! The mesh as a picture: this enrollment in the middle, the others around it, and the links between.

use std::f64::consts::TAU;
use std::fmt::Write as _;

use maud::{Markup, html};
use peerd_core::link::{Direction, Status};
use peerd_core::peering::Connection;
use peerd_core::policy::Direction as Way;
use peerd_node::exchange::rates::Moved;
use peerd_node::link::LinkView;

use crate::pages::home::Rates;
use crate::parts::rate_in_words;
use crate::visit::Visit;

/// How many links are drawn.
const DRAWN_MAX: usize = 24;
/// The size of the picture, and how far the others are from its middle.
const WIDTH: f64 = 920.0;
const HEIGHT: f64 = 420.0;
/// How high it is where nobody stands above or below.
const FLAT: f64 = 120.0;
const RADIUS_X: f64 = 340.0;
const RADIUS_Y: f64 = 150.0;
/// How long a title may be in the picture, in characters.
const TITLE_MAX: usize = 22;

/// The picture; nothing where no link leads anywhere.
pub(crate) fn picture(
    visit: &Visit,
    links: &[LinkView],
    connections: &[Connection],
    rates: &Rates,
) -> Markup {
    let known: Vec<&LinkView> = links.iter().filter(|view| view.link.remote.is_some()).collect();
    if known.is_empty() {
        return html! {};
    }
    let drawn = known.get(..DRAWN_MAX).unwrap_or(&known);
    let hidden = known.len() - drawn.len();
    let high = if drawn.len() > 2 { HEIGHT } else { FLAT };
    // One other stands beside this one; more stand around it.
    let aside = if drawn.len() == 1 { RADIUS_X / 2.0 } else { 0.0 };
    let middle = (WIDTH / 2.0 - aside, high / 2.0);
    let us = visit
        .enrollment
        .title
        .as_ref()
        .map_or(visit.enrollment.name.as_str(), |title| title.as_str());
    let label = format!(
        "This enrollment, {us}, and {} others it is linked to",
        known.len()
    );
    html! {
        section.mesh aria-labelledby="mesh" {
            h2 #mesh { "Mesh" }
            div.scroll tabindex="0" role="group" aria-label="Mesh" { svg viewBox=(format!("0 0 {WIDTH} {high}")) role="group" aria-label=(label) {
                @for (place, view) in drawn.iter().enumerate() {
                    (spoke(view, middle, at(place, drawn.len(), middle), connections, rates))
                }
                g.us {
                    rect x=(middle.0 - 90.0) y=(high / 2.0 - 22.0) width="180" height="44" rx="6" {}
                    text x=(middle.0) y=(high / 2.0 + 5.0) { (short(us)) }
                }
            } }
            @if hidden > 0 { p.none { "and " (hidden) " more, on the " a href="/console/network" { "Network" } " page" } }
        }
    }
}

/// Where the others stand: from the left around, so that few stand side by side.
fn at(place: usize, of: usize, (mx, my): (f64, f64)) -> (f64, f64) {
    // Two dozen at most: both convert without loss.
    let share =
        f64::from(u32::try_from(place).unwrap_or(0)) / f64::from(u32::try_from(of.max(1)).unwrap_or(1));
    let angle = share * TAU + if of <= 2 { 0.0 } else { TAU / 4.0 };
    (mx + RADIUS_X * angle.cos(), my + RADIUS_Y * angle.sin())
}

fn spoke(
    view: &LinkView,
    (mx, my): (f64, f64),
    (x, y): (f64, f64),
    connections: &[Connection],
    rates: &Rates,
) -> Markup {
    let (link, status) = (&view.link, view.health.status);
    let remote = link.remote.as_ref();
    let title = remote.map_or_else(String::new, |remote| {
        let known = remote.title.as_ref().map(ToString::to_string);
        known.unwrap_or_else(|| remote.enrollment.short())
    });
    let over: Vec<&Connection> = connections.iter().filter(|one| one.link == link.id).collect();
    let active = over.iter().filter(|one| one.is_flowing()).count();
    let out = flowing(&over, Way::Export, rates);
    let into = flowing(&over, Way::Import, rates);
    let mut what = format!(
        "{title}: {}, {}, {active} active of {} connections",
        status.as_str(),
        link.direction,
        over.len()
    );
    for (word, rate) in [("out", out), ("in", into)] {
        if rate != Moved::default() {
            // Writing to a text does not fail.
            let _ = write!(what, ", {word} {}", rate_in_words(rate));
        }
    }
    html! {
        a href={ "/console/network/" (link.id) } aria-label=(what) {
            title { (what) }
            g class={ "spoke " (status.as_str()) } {
                line x1=(mx) y1=(my) x2=(x) y2=(y) {}
                path.dials d=(arrows(link.direction, (mx, my), (x, y))) {}
                (flow(out, (mx, my), (x, y), -1.0))
                (flow(into, (x, y), (mx, my), -1.0))
                rect x=(x - 90.0) y=(y - 22.0) width="180" height="44" rx="6" {}
                circle cx=(x - 76.0) cy=(y) r="5" {}
                text x=(x + 6.0) y=(y - 3.0) { (short(&title)) }
                text.small x=(x + 6.0) y=(y + 13.0) { (status.as_str()) @if status != Status::Pending { " · " (active) " active" } }
            }
        }
    }
}

/// What moves one way over all of these.
fn flowing(over: &[&Connection], direction: Way, rates: &Rates) -> Moved {
    let ways = over.iter().filter_map(|one| rates.get(&(one.id, direction)));
    ways.fold(Moved::default(), |sum, rate| Moved {
        objects: sum.objects.saturating_add(rate.objects),
        bytes: sum.bytes.saturating_add(rate.bytes),
    })
}

/// Data under way: a dashed line beside the link that runs from where it comes, and how much it is.
fn flow(rate: Moved, (ax, ay): (f64, f64), (bx, by): (f64, f64), side: f64) -> Markup {
    if rate == Moved::default() {
        return html! {};
    }
    let length = (bx - ax).hypot(by - ay).max(1.0);
    let (nx, ny) = (-(by - ay) / length * side, (bx - ax) / length * side);
    let shift = |x: f64, y: f64, by: f64| (x + nx * by, y + ny * by);
    let ((x1, y1), (x2, y2)) = (shift(ax, ay, 9.0), shift(bx, by, 9.0));
    let (tx, ty) = shift(ax + (bx - ax) * 0.5, ay + (by - ay) * 0.5, 22.0);
    html! {
        path.flow d=(format!("M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}")) {}
        text.rate x=(format!("{tx:.1}")) y=(format!("{:.1}", ty + 4.0)) { (rate_in_words(rate)) }
    }
}

/// An arrow head for each side that may dial, on the way between both.
fn arrows(direction: Direction, (ax, ay): (f64, f64), (bx, by): (f64, f64)) -> String {
    let length = (bx - ax).hypot(by - ay).max(1.0);
    let (ux, uy) = ((bx - ax) / length, (by - ay) / length);
    let mut path = String::new();
    let mut head = |share: f64, way: f64| {
        let (x, y) = (ax + ux * length * share, ay + uy * length * share);
        let (tx, ty) = (x + way * ux * 7.0, y + way * uy * 7.0);
        let (sx, sy) = (-uy * 5.0, ux * 5.0);
        let (lx, ly, rx, ry) = (x + sx, y + sy, x - sx, y - sy);
        // Writing to a text does not fail.
        let _ = write!(path, "M{tx:.1} {ty:.1}L{lx:.1} {ly:.1}L{rx:.1} {ry:.1}Z");
    };
    if direction.we_may_dial() {
        head(0.56, 1.0);
    }
    if direction.they_may_dial() {
        head(0.46, -1.0);
    }
    path
}

fn short(title: &str) -> String {
    if title.chars().count() <= TITLE_MAX {
        return title.to_owned();
    }
    title.chars().take(TITLE_MAX - 1).chain(['…']).collect()
}
