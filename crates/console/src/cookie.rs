//! The cookies of the console. They are for this host alone, go with no request that another site starts, and no
//! script reads them.

use http::HeaderMap;
use http::header::COOKIE;
use peerd_core::EnrollmentId;

/// What a cookie is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// It names the session.
    Session,
    /// It goes with the sign-in form, before there is a session.
    SignIn,
}

impl Cookie {
    /// Its name. Ports of one host share cookies, so that the enrollment is part of it.
    pub(crate) fn name(self, enrollment: EnrollmentId, secure: bool) -> String {
        let prefix = if secure { "__Host-" } else { "" };
        let purpose = match self {
            Cookie::Session => "session",
            Cookie::SignIn => "signin",
        };
        format!("{prefix}peerd-{purpose}-{}", enrollment.short())
    }

    /// The header that sets it, or takes it away when there is no value.
    pub(crate) fn set(self, enrollment: EnrollmentId, secure: bool, value: Option<&str>) -> String {
        let name = self.name(enrollment, secure);
        let secure = if secure { "; Secure" } else { "" };
        let (value, age) = match value {
            Some(value) => (value, ""),
            None => ("", "; Max-Age=0"),
        };
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{age}")
    }
}

/// The value of a cookie in a request.
pub(crate) fn value(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(COOKIE).iter();
    let pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    let mut pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
    pairs
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value.to_owned())
}
