//! What to do about a refusal: where the missing thing is made, already filled in as far as it is known.

use peerd_core::link::Address;
use peerd_core::{EnrollmentId, Reason};

/// A page and what it is for.
pub(crate) type Remedy = (String, &'static str);

/// The page to go to, for a refusal about this enrollment at these addresses.
pub(crate) fn remedy<'a>(
    reason: Reason,
    enrollment: Option<EnrollmentId>,
    addresses: impl IntoIterator<Item = &'a Address>,
) -> Option<Remedy> {
    let mut addresses = addresses.into_iter();
    Some(match reason {
        Reason::EgressDenied => {
            let place = addresses.next().map_or_else(String::new, |address| {
                let host = encoded(&address.host.to_string());
                format!("&destination={host}&ports={}", address.port)
            });
            let path = proposal("egress", enrollment) + &place;
            (path, "Propose an egress policy")
        }
        Reason::IngressDenied => {
            let hosts = addresses.map(|address| address.host.to_string());
            let plain: Vec<String> = hosts
                .filter(|host| host.parse::<std::net::IpAddr>().is_ok())
                .collect();
            let path = proposal("ingress", enrollment) + "&sources=" + &encoded(&plain.join(" "));
            (path, "Propose an ingress policy")
        }
        Reason::LinkMissing => ("/console/network".into(), "Make a link"),
        Reason::LevelUnknown => ("/console/security".into(), "Set the levels"),
        Reason::MarkingUnknown => ("/console/security".into(), "Create the marking"),
        Reason::TitleMissing => ("/console/control".into(), "Set the title"),
        _ => return None,
    })
}

fn proposal(side: &str, enrollment: Option<EnrollmentId>) -> String {
    let enrollment = enrollment.map_or_else(String::new, |id| id.to_string());
    format!("/console/policies/propose?side={side}&enrollments={enrollment}")
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
