//! What one policy admits.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::address::Destination;
use super::decision::{Act, Direction, Question};
use crate::address::Cidr;
use crate::{EnrollmentId, InvalidId};

/// A text that is not a port or a range of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("ports are one number, or two with a hyphen between, from 1 to 65535, the lower first")]
pub struct InvalidPorts;

/// A port or a range of ports, within 1 to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ports {
    first: u16,
    last: u16,
}

impl Ports {
    /// The ports from `first` to `last`, both included.
    pub fn range(first: u16, last: u16) -> Result<Ports, InvalidPorts> {
        if first == 0 || first > last {
            return Err(InvalidPorts);
        }
        Ok(Ports { first, last })
    }

    /// Whether this port is among them.
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

/// Reads `7443` and `7000-7100`.
impl FromStr for Ports {
    type Err = InvalidPorts;

    fn from_str(text: &str) -> Result<Ports, InvalidPorts> {
        // Digits only: the number parser alone would accept `+7443`.
        let port = |text: &str| {
            let plain = text.bytes().all(|b| b.is_ascii_digit());
            text.parse().ok().filter(|_| plain).ok_or(InvalidPorts)
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Ports::range(port(first)?, port(last)?)
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        if self.first < self.last {
            write!(f, "-{}", self.last)?;
        }
        Ok(())
    }
}

impl TryFrom<String> for Ports {
    type Error = InvalidPorts;

    fn try_from(text: String) -> Result<Ports, InvalidPorts> {
        text.parse()
    }
}

impl From<Ports> for String {
    fn from(ports: Ports) -> String {
        ports.to_string()
    }
}

/// Why texts do not name the enrollments of a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEnrollments {
    /// None was named: that would be nobody.
    #[error("name the enrollments the policy is for, or any")]
    Nobody,
    /// `any` beside an id: it is unclear which was meant.
    #[error("name enrollments or any, not both")]
    AnyAndSome,
    /// One of the texts is not an enrollment id.
    #[error(transparent)]
    Id(#[from] InvalidId),
}

/// The remote enrollments a policy is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Enrollments {
    /// Every enrollment.
    Any,
    /// These. An empty set is nobody; it is refused when a policy is proposed, and admits nobody where it still
    /// turns up.
    Only(BTreeSet<EnrollmentId>),
}

impl Enrollments {
    /// The most ids one policy names.
    pub const MAX: usize = 256;

    /// Reads `any` alone, or enrollment ids.
    pub fn from_texts<'a>(
        texts: impl IntoIterator<Item = &'a str>,
    ) -> Result<Enrollments, InvalidEnrollments> {
        let (any, ids): (Vec<&str>, Vec<&str>) = texts.into_iter().partition(|text| *text == "any");
        match (any.is_empty(), ids.is_empty()) {
            (true, true) => Err(InvalidEnrollments::Nobody),
            (false, true) => Ok(Enrollments::Any),
            (false, false) => Err(InvalidEnrollments::AnyAndSome),
            (true, false) => {
                let ids: Result<_, InvalidId> = ids.into_iter().map(str::parse).collect();
                Ok(Enrollments::Only(ids?))
            }
        }
    }

    /// Whether the enrollment is among them.
    pub fn contain(&self, enrollment: &EnrollmentId) -> bool {
        match self {
            Enrollments::Any => true,
            Enrollments::Only(ids) => ids.contains(enrollment),
        }
    }

    /// Whether there is no enrollment among them.
    pub fn are_nobody(&self) -> bool {
        matches!(self, Enrollments::Only(ids) if ids.is_empty())
    }
}

/// Why a text does not justify a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJustification {
    /// Nothing but white space.
    #[error("a policy needs a justification")]
    Empty,
    /// Longer than the limit.
    #[error("a justification has at most {max} characters")]
    TooLong {
        /// The limit, in characters.
        max: usize,
    },
    /// Has a control character or one that reorders the text around it.
    #[error("a justification must not have control or text-direction characters")]
    Charset,
}

/// Why a policy should exist, in the words of who proposed it: 1 to 1,000 characters in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Justification(String);

impl Justification {
    /// The longest justification, in characters.
    pub const MAX: usize = 1_000;

    /// The justification as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Justification {
    type Err = InvalidJustification;

    fn from_str(text: &str) -> Result<Justification, InvalidJustification> {
        let text = text.trim();
        if text.is_empty() {
            return Err(InvalidJustification::Empty);
        }
        if text.chars().count() > Justification::MAX {
            return Err(InvalidJustification::TooLong {
                max: Justification::MAX,
            });
        }
        // Somebody decides on this text: nothing in it may reorder or hide the rest.
        let hides = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if text.chars().any(|c| c.is_control() || hides(c)) {
            return Err(InvalidJustification::Charset);
        }
        Ok(Justification(text.to_owned()))
    }
}

impl TryFrom<String> for Justification {
    type Error = InvalidJustification;

    fn try_from(text: String) -> Result<Justification, InvalidJustification> {
        text.parse()
    }
}

impl From<Justification> for String {
    fn from(justification: Justification) -> String {
        justification.0
    }
}

impl fmt::Display for Justification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which way a policy looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Out of this enrollment.
    Egress,
    /// Into this enrollment.
    Ingress,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Egress => "egress",
            Side::Ingress => "ingress",
        })
    }
}

/// What a policy admits. It never changes after it was proposed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Rule {
    /// What may be reached, and whom data may go to.
    Egress {
        /// Where.
        destination: Destination,
        /// At which ports.
        ports: Ports,
        /// Belonging to which enrollments.
        enrollments: Enrollments,
    },
    /// What this side may be reached from, and whom data may come from.
    Ingress {
        /// Where from; an empty set is nowhere.
        sources: BTreeSet<Cidr>,
        /// Belonging to which enrollments.
        enrollments: Enrollments,
    },
}

impl Rule {
    /// The most sources one policy lists.
    pub const SOURCES_MAX: usize = 256;

    /// Which way it looks.
    pub fn side(&self) -> Side {
        match self {
            Rule::Egress { .. } => Side::Egress,
            Rule::Ingress { .. } => Side::Ingress,
        }
    }

    /// The enrollments it is for.
    pub fn enrollments(&self) -> &Enrollments {
        match self {
            Rule::Egress { enrollments, .. } | Rule::Ingress { enrollments, .. } => enrollments,
        }
    }

    /// Whether this rule admits all that is asked. The one definition: an index may skip rules, never add one.
    pub fn admits(&self, question: &Question) -> bool {
        match (self, &question.act) {
            (Rule::Ingress { sources, enrollments }, Act::Source(from)) => {
                !enrollments.are_nobody() && sources.iter().any(|net| net.contains(*from))
            }
            (Rule::Ingress { sources, enrollments }, Act::Accept(accept)) => {
                named(enrollments, question) && sources.iter().any(|net| net.contains(accept.from))
            }
            (
                Rule::Egress {
                    destination,
                    ports,
                    enrollments,
                },
                Act::Dial(dial),
            ) => {
                named(enrollments, question) && ports.contains(dial.to.port()) && destination.admits(&dial.to)
            }
            (rule, Act::Flow(flow)) => {
                let side = match flow.direction {
                    Direction::Export => Side::Egress,
                    Direction::Import => Side::Ingress,
                };
                rule.side() == side && named(rule.enrollments(), question)
            }
            (Rule::Egress { .. }, Act::Source(_) | Act::Accept(_)) | (Rule::Ingress { .. }, Act::Dial(_)) => {
                false
            }
        }
    }
}

/// A question that names no enrollment is about nobody.
fn named(enrollments: &Enrollments, question: &Question) -> bool {
    question.enrollment.is_some_and(|id| enrollments.contain(&id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_one_or_a_range_and_nothing_else() {
        for (text, inside, outside) in [
            ("1", 1, 2),
            ("7443", 7443, 7444),
            ("7000-7100", 7050, 7101),
            ("1-65535", 65535, 0),
        ] {
            let ports: Ports = text.parse().expect(text);
            assert!(ports.contains(inside) && !ports.contains(outside), "{text}");
            assert_eq!(ports.to_string(), text);
        }
        for text in [
            "", "0", "65536", "-", "1-", "-1", "+1", " 1", "1 ", "5-4", "0-5", "1-2-3", "http", "1,2", "٣",
        ] {
            assert_eq!(text.parse::<Ports>(), Err(InvalidPorts), "{text:?}");
        }
    }

    #[test]
    fn b105_no_enrollment_named_is_refused_not_read_as_any() {
        let id = EnrollmentId::from_bytes([1; 32]).to_string();
        assert_eq!(Enrollments::from_texts([]), Err(InvalidEnrollments::Nobody));
        assert_eq!(Enrollments::from_texts(["any"]), Ok(Enrollments::Any));
        assert_eq!(
            Enrollments::from_texts(["any", &id]),
            Err(InvalidEnrollments::AnyAndSome)
        );
        assert!(matches!(
            Enrollments::from_texts(["ANY"]),
            Err(InvalidEnrollments::Id(_))
        ));
        let some = Enrollments::from_texts([id.as_str(), &id]).expect("ids");
        assert!(some.contain(&EnrollmentId::from_bytes([1; 32])));
        assert!(!some.contain(&EnrollmentId::from_bytes([2; 32])));
    }

    #[test]
    fn a_justification_cannot_be_empty_endless_or_misleading() {
        assert!("ward exchange, contract 12/9".parse::<Justification>().is_ok());
        assert_eq!(" \t".parse::<Justification>(), Err(InvalidJustification::Empty));
        assert_eq!(
            "a\u{202e}b".parse::<Justification>(),
            Err(InvalidJustification::Charset)
        );
        assert!("a".repeat(1_001).parse::<Justification>().is_err());
    }
}
