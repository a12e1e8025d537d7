//! The XSD of a connection: what every bundle of the XML form looks like that is written for it.
//!
//! The part that is the same for every connection is `xsd/fixed.xsd`; here the object types of one connection are put
//! into it. There are no wildcards, and everything that repeats has a limit.

use std::fmt::Write as _;

use peerd_core::ontology::{Property, PropertyType, Schema};

use super::head::NAMESPACE;
use super::value::ITEM;

const FIXED: &str = include_str!("xsd/fixed.xsd");
/// Where the element of objects goes, if there are any.
const OBJECTS: &str = "          <!--OBJECTS-->\n";
/// The most records of a bundle, and the most items of an array.
const MANY: usize = 65_536;

/// The schema of bundles whose objects are of these types.
pub fn xsd(schemas: &[Schema]) -> String {
    let mut out = Text(String::with_capacity(FIXED.len() + schemas.len() * 4_096));
    out.0.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.line(
        0,
        &format!(
            "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns=\"{NAMESPACE}\" \
             targetNamespace=\"{NAMESPACE}\" elementFormDefault=\"qualified\">"
        ),
    );
    let objects = if schemas.is_empty() {
        String::new()
    } else {
        "          <xs:element name=\"objects\" type=\"objects\"/>\n".to_owned()
    };
    out.0.push_str(&FIXED.replace(OBJECTS, &objects));
    if !schemas.is_empty() {
        out.objects(schemas);
        for schema in schemas {
            out.object(schema);
        }
    }
    out.line(0, "</xs:schema>");
    out.0
}

/// A text with two blanks for each step it is indented.
struct Text(String);

impl Text {
    fn line(&mut self, depth: usize, text: &str) {
        // A text takes any text.
        let _ = writeln!(self.0, "{:width$}{text}", "", width = depth * 2);
    }

    fn objects(&mut self, schemas: &[Schema]) {
        self.line(1, "<xs:complexType name=\"objects\">");
        self.line(2, "<xs:sequence>");
        self.line(3, "<xs:element name=\"enrollments\" type=\"enrollments\"/>");
        self.line(3, "<xs:choice>");
        for schema in schemas {
            let name = schema.name();
            self.line(
                4,
                &format!("<xs:element name=\"{name}\" type=\"object.{name}\" minOccurs=\"0\" maxOccurs=\"{MANY}\"/>"),
            );
        }
        self.line(3, "</xs:choice>");
        self.line(2, "</xs:sequence>");
        self.line(1, "</xs:complexType>");
    }

    fn object(&mut self, schema: &Schema) {
        let name = schema.name();
        self.line(1, &format!("<xs:complexType name=\"object.{name}\">"));
        self.line(2, "<xs:sequence>");
        self.line(3, "<xs:element name=\"key\" type=\"object-key\"/>");
        self.line(3, "<xs:choice>");
        self.line(4, "<xs:element name=\"retraction\" type=\"nothing\"/>");
        self.line(4, &format!("<xs:element name=\"state\" type=\"state.{name}\"/>"));
        self.line(3, "</xs:choice>");
        self.line(2, "</xs:sequence>");
        self.line(
            2,
            "<xs:attribute name=\"n\" type=\"record-number\" use=\"required\"/>",
        );
        self.line(1, "</xs:complexType>");

        self.line(1, &format!("<xs:complexType name=\"state.{name}\">"));
        self.line(2, "<xs:sequence>");
        self.line(3, "<xs:element name=\"origin\" type=\"dot\"/>");
        self.line(3, "<xs:element name=\"purged\" type=\"dot\" minOccurs=\"0\"/>");
        self.line(3, "<xs:element name=\"life\" type=\"life\" minOccurs=\"0\"/>");
        self.line(
            3,
            &format!("<xs:element name=\"source\" type=\"source.{name}\" minOccurs=\"0\"/>"),
        );
        self.line(
            3,
            "<xs:element name=\"security\" type=\"security\" minOccurs=\"0\"/>",
        );
        self.line(
            3,
            &format!("<xs:element name=\"edits\" type=\"edits.{name}\" minOccurs=\"0\"/>"),
        );
        self.line(2, "</xs:sequence>");
        self.line(2, "<xs:attribute name=\"hops\" type=\"hops\" use=\"required\"/>");
        self.line(1, "</xs:complexType>");

        self.line(1, &format!("<xs:complexType name=\"source.{name}\">"));
        self.line(2, "<xs:sequence>");
        for property in schema.properties() {
            self.line(
                3,
                &format!(
                    "<xs:element name=\"{property}\" type=\"value.{name}.{property}\" minOccurs=\"0\"/>",
                    property = property.name
                ),
            );
        }
        self.line(2, "</xs:sequence>");
        self.line(2, "<xs:attributeGroup ref=\"dot\"/>");
        self.line(1, "</xs:complexType>");

        self.line(1, &format!("<xs:complexType name=\"edits.{name}\">"));
        self.line(2, "<xs:sequence>");
        for property in schema.properties() {
            self.edit(schema, property);
        }
        self.line(2, "</xs:sequence>");
        self.line(1, "</xs:complexType>");

        for property in schema.properties() {
            let name = format!("value.{name}.{}", property.name);
            self.named_type(&name, &property.of);
        }
    }

    fn edit(&mut self, schema: &Schema, property: &Property) {
        let (name, property) = (schema.name(), &property.name);
        self.line(3, &format!("<xs:element name=\"{property}\" minOccurs=\"0\">"));
        self.line(4, "<xs:complexType>");
        self.line(5, "<xs:sequence>");
        self.line(
            6,
            "<xs:element name=\"seen\" type=\"dot\" minOccurs=\"0\" maxOccurs=\"256\"/>",
        );
        self.line(6, "<xs:element name=\"write\" minOccurs=\"0\" maxOccurs=\"256\">");
        self.line(7, "<xs:complexType>");
        self.line(8, "<xs:choice>");
        self.line(9, "<xs:element name=\"null\" type=\"nothing\"/>");
        self.line(
            9,
            &format!("<xs:element name=\"value\" type=\"value.{name}.{property}\"/>"),
        );
        self.line(8, "</xs:choice>");
        self.line(
            8,
            "<xs:attribute name=\"generation\" type=\"xs:unsignedInt\" use=\"required\"/>",
        );
        self.line(8, "<xs:attributeGroup ref=\"dot\"/>");
        self.line(7, "</xs:complexType>");
        self.line(6, "</xs:element>");
        self.line(5, "</xs:sequence>");
        self.line(4, "</xs:complexType>");
        self.line(3, "</xs:element>");
    }

    fn named_type(&mut self, name: &str, of: &PropertyType) {
        if let Some(base) = simple(of) {
            self.line(1, &format!("<xs:simpleType name=\"{name}\">"));
            self.line(2, &format!("<xs:restriction base=\"{base}\"/>"));
            self.line(1, "</xs:simpleType>");
        } else {
            self.line(1, &format!("<xs:complexType name=\"{name}\">"));
            self.inside(2, of);
            self.line(1, "</xs:complexType>");
        }
    }

    /// The elements of an array or a struct.
    fn inside(&mut self, depth: usize, of: &PropertyType) {
        self.line(depth, "<xs:sequence>");
        match of {
            PropertyType::Array(of) => {
                let repeated = format!("minOccurs=\"0\" maxOccurs=\"{MANY}\"");
                self.element(depth + 1, ITEM, of, &repeated);
            }
            PropertyType::Struct(fields) => {
                for (field, of) in fields {
                    self.element(depth + 1, field.as_str(), of, "minOccurs=\"0\"");
                }
            }
            _ => {}
        }
        self.line(depth, "</xs:sequence>");
    }

    fn element(&mut self, depth: usize, name: &str, of: &PropertyType, occurs: &str) {
        if let Some(base) = simple(of) {
            self.line(
                depth,
                &format!("<xs:element name=\"{name}\" type=\"{base}\" {occurs}/>"),
            );
            return;
        }
        self.line(depth, &format!("<xs:element name=\"{name}\" {occurs}>"));
        self.line(depth + 1, "<xs:complexType>");
        self.inside(depth + 2, of);
        self.line(depth + 1, "</xs:complexType>");
        self.line(depth, "</xs:element>");
    }
}

/// The simple type that the values of a type are written as.
const fn simple(of: &PropertyType) -> Option<&'static str> {
    Some(match of {
        PropertyType::String | PropertyType::Reference { .. } | PropertyType::Artifact => "text",
        PropertyType::Boolean => "truth",
        PropertyType::Integer => "xs:int",
        PropertyType::Long => "xs:long",
        PropertyType::Double => "double",
        PropertyType::Decimal => "decimal",
        PropertyType::Date => "date",
        PropertyType::Timestamp => "moment",
        PropertyType::Geopoint => "geopoint",
        PropertyType::Array(_) | PropertyType::Struct(_) => return None,
    })
}
