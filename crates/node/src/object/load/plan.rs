//! How the lines of a load become rows of a type.

use std::collections::{BTreeMap, BTreeSet};

use peerd_core::Reason;
use peerd_core::object::ObjectKey;
use peerd_core::ontology::{ObjectType, Property, PropertyType};
use peerd_core::value::{Properties, ROW_BYTES_MAX, Row, Value};
use serde_json::{Map, Value as Json};

use super::Content;
use crate::Error;

/// So many columns can a load have.
const COLUMNS_MAX: usize = 2 * ObjectType::PROPERTIES_MAX;

/// How the lines of one load are read.
#[derive(Debug)]
pub(super) struct Plan {
    of: ObjectType,
    columns: Vec<String>,
    ignore_extra: bool,
    nulls: BTreeSet<String>,
    key_from: Vec<String>,
}

/// What is gathered of one line.
struct Draft {
    values: Properties,
    /// The parts of a key that is built, by column.
    key_parts: BTreeMap<String, String>,
}

impl Plan {
    /// Checks the header against the type.
    pub(super) fn new(
        of: ObjectType,
        columns: Vec<String>,
        key_from: Vec<String>,
        nulls: Vec<String>,
        ignore_extra: bool,
    ) -> Result<Plan, Error> {
        let plan = Plan {
            of,
            columns,
            ignore_extra,
            nulls: nulls.into_iter().collect(),
            key_from,
        };
        plan.check_key_from()?;
        if plan.columns.len() > COLUMNS_MAX {
            return Err(Error::field("columns", format_args!("more than {COLUMNS_MAX}")));
        }
        let mut seen = BTreeSet::new();
        for column in &plan.columns {
            plan.check_column(column)
                .map_err(|error| Error::field("columns", error))?;
            if !seen.insert(column) {
                return Err(Error::field("columns", format_args!("{column:.63} comes twice")));
            }
        }
        let missing = |column: &&String| !plan.columns.is_empty() && !seen.contains(column);
        if let Some(column) = plan.key_from.iter().find(missing) {
            return Err(Error::field("key_from", format_args!("no column {column:.63}")));
        }
        Ok(plan)
    }

    /// The object that a line is, and its values.
    pub(super) fn read(&self, content: &Content) -> Result<(ObjectKey, Row), Error> {
        let mut draft = match content {
            Content::Cells(cells) => self.of_cells(cells)?,
            Content::Json(json) => self.of_json(json)?,
        };
        if !self.key_from.is_empty() {
            let key = self.built_key(&draft.key_parts)?;
            draft.values.insert(self.of.primary_key, Value::String(key));
        }
        self.of.complete(&mut draft.values);
        let key = self.of.check_row(&draft.values)?;
        let row = Row::of(&draft.values).map_err(|error| Error::new(Reason::TooLarge, error.to_string()))?;
        Ok((key, row))
    }

    fn of_cells(&self, cells: &[String]) -> Result<Draft, Error> {
        if cells.len() != self.columns.len() {
            let (cells, columns) = (cells.len(), self.columns.len());
            return Err(invalid(format!(
                "{cells} cells where there are {columns} columns"
            )));
        }
        let mut draft = Draft::new();
        for (column, cell) in self.columns.iter().zip(cells) {
            if cell.is_empty() || self.nulls.contains(cell) {
                continue;
            }
            if self.key_from.contains(column) {
                draft.key_parts.insert(column.clone(), cell.clone());
            }
            if let Some(property) = self.of.named(column) {
                let value = property
                    .of
                    .parse_text(cell)
                    .map_err(|why| misfit(property, &why))?;
                draft.values.insert(property.id, value);
            }
        }
        Ok(draft)
    }

    fn of_json(&self, json: &str) -> Result<Draft, Error> {
        if json.len() > ROW_BYTES_MAX {
            return Err(Error::new(
                Reason::TooLarge,
                format!("more than {ROW_BYTES_MAX} bytes"),
            ));
        }
        let fields: Map<String, Json> =
            serde_json::from_str(json).map_err(|error| invalid(format!("not a JSON object: {error}")))?;
        let mut draft = Draft::new();
        for (name, json) in &fields {
            self.check_column(name)?;
            if json.is_null() || json.as_str().is_some_and(|text| self.nulls.contains(text)) {
                continue;
            }
            if self.key_from.contains(name) {
                draft.key_parts.insert(name.clone(), key_part(name, json)?);
            }
            if let Some(property) = self.of.named(name) {
                let value = property
                    .of
                    .from_json(json)
                    .map_err(|why| misfit(property, &why))?;
                draft.values.insert(property.id, value);
            }
        }
        Ok(draft)
    }

    /// A column must be a property or a part of the key, unless others are ignored; and a key that is built has no
    /// column of its own.
    fn check_column(&self, name: &str) -> Result<(), Error> {
        let property = self.of.named(name);
        if !self.key_from.is_empty() && property.is_some_and(|it| it.id == self.of.primary_key) {
            return Err(invalid(format!("{name} is built from other columns")));
        }
        if property.is_none() && !self.ignore_extra && !self.key_from.iter().any(|part| part == name) {
            return Err(invalid(format!(
                "{} has no property {:.63}",
                self.of.name,
                name.escape_debug().to_string()
            )));
        }
        Ok(())
    }

    fn check_key_from(&self) -> Result<(), Error> {
        let text = self.of.property(self.of.primary_key).map(|key| &key.of);
        if !self.key_from.is_empty() && text != Some(&PropertyType::String) {
            return Err(Error::field("key_from", "the primary key is not a string"));
        }
        if self.key_from.len() > COLUMNS_MAX {
            return Err(Error::field("key_from", format_args!("more than {COLUMNS_MAX}")));
        }
        Ok(())
    }

    /// The parts joined with `|`. A part with a `|` in it is refused: two different objects could get one key.
    fn built_key(&self, parts: &BTreeMap<String, String>) -> Result<String, Error> {
        let mut texts = Vec::with_capacity(self.key_from.len());
        for column in &self.key_from {
            let part = parts
                .get(column)
                .ok_or_else(|| invalid(format!("{column:.63} is a part of the key and has no value")))?;
            if part.contains('|') {
                return Err(invalid(format!(
                    "{column:.63} is a part of the key and has a '|'"
                )));
            }
            texts.push(part.as_str());
        }
        Ok(texts.join("|"))
    }
}

impl Draft {
    fn new() -> Draft {
        Draft {
            values: Properties::default(),
            key_parts: BTreeMap::new(),
        }
    }
}

fn key_part(name: &str, json: &Json) -> Result<String, Error> {
    match json {
        Json::String(text) => Ok(text.clone()),
        Json::Number(number) => Ok(number.to_string()),
        _ => Err(invalid(format!(
            "{name:.63} is a part of the key and not a text or number"
        ))),
    }
}

fn misfit(property: &Property, why: &dyn std::fmt::Display) -> Error {
    invalid(format!("{}: {why}", property.name))
}

fn invalid(told: String) -> Error {
    Error::new(Reason::ObjectInvalid, told)
}
