//! The fields of forms and queries, read once into types that cannot be wrong. Every error names its field.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use peerd_core::peering::DataTypes;
use peerd_core::security::Security;
use peerd_node::Error;

/// Names and values in the order they came. They may be secrets: nothing prints them.
#[derive(Clone, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads `a=b&c=d`.
    pub(crate) fn read(encoded: &[u8]) -> Fields {
        Fields(form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// These.
    pub(crate) fn of(fields: Vec<(String, String)>) -> Fields {
        Fields(fields)
    }

    /// The first value of a field; empty when it is not there.
    pub(crate) fn text(&self, name: &str) -> &str {
        let mut fields = self.0.iter();
        let found = fields.find(|(known, value)| known == name && !value.is_empty());
        found.map_or("", |(_, value)| value.as_str())
    }

    /// All values of a field that are not empty.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let fields = self
            .0
            .iter()
            .filter(move |(known, value)| known == name && !value.is_empty());
        fields.map(|(_, value)| value.as_str())
    }

    /// The fields whose name starts so: the rest of the name, and the value.
    pub(crate) fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let fields = self.0.iter();
        fields.filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value.as_str())))
    }

    /// Whether a box was ticked, or whether this value is among those chosen.
    pub(crate) fn has(&self, name: &str, value: &str) -> bool {
        self.all(name).any(|known| known == value)
    }

    /// A field that must be there and be what it says.
    pub(crate) fn required<T>(&self, name: &str) -> Result<T, Error>
    where
        T: FromStr<Err: Display>,
    {
        parse(name, self.reference(name)?)
    }

    /// A field that may be empty, which means absent.
    pub(crate) fn optional<T>(&self, name: &str) -> Result<Option<T>, Error>
    where
        T: FromStr<Err: Display>,
    {
        match self.text(name).trim() {
            "" => Ok(None),
            text => parse(name, text).map(Some),
        }
    }

    /// A text by which the node looks something up.
    pub(crate) fn reference(&self, name: &str) -> Result<&str, Error> {
        match self.text(name).trim() {
            "" => Err(Error::field(name, "required")),
            text => Ok(text),
        }
    }

    /// A time span in whole hours; empty means the default.
    pub(crate) fn hours(&self, name: &str) -> Result<Option<Duration>, Error> {
        let hours: Option<u32> = self.optional(name)?;
        Ok(hours.map(|hours| Duration::from_secs(u64::from(hours).saturating_mul(3_600))))
    }

    /// Kinds of data.
    pub(crate) fn data_types(&self, name: &str) -> DataTypes {
        DataTypes {
            objects: self.has(name, "objects"),
            artifacts: self.has(name, "artifacts"),
        }
    }

    /// A classification and markings.
    pub(crate) fn security(&self) -> Result<Security, Error> {
        let markings: Result<BTreeSet<_>, Error> =
            self.all("marking").map(|name| parse("marking", name)).collect();
        Ok(Security {
            classification: self.optional("classification")?,
            markings: markings?,
        })
    }
}

fn parse<T>(name: &str, text: &str) -> Result<T, Error>
where
    T: FromStr<Err: Display>,
{
    text.parse().map_err(|problem| Error::field(name, problem))
}

#[cfg(test)]
mod tests {
    use peerd_core::name::Name;

    use super::*;

    #[test]
    fn an_error_names_its_field() {
        let fields = Fields::read(b"name=Not+a+name&hours=-1&marking=A");
        for told in [
            fields.required::<Name>("name").unwrap_err(),
            fields.required::<Name>("other").unwrap_err(),
            fields.hours("hours").unwrap_err(),
            fields.security().unwrap_err(),
        ] {
            assert!(told.details().contains_key("field"), "{told}");
        }
    }

    #[test]
    fn empty_means_absent_and_the_first_value_counts() {
        let fields = Fields::read(b"a=&a=x&a=y");
        assert_eq!(fields.text("a"), "x");
        assert_eq!(fields.optional::<Name>("b").unwrap(), None);
        assert_eq!(fields.all("a").count(), 2);
    }
}
