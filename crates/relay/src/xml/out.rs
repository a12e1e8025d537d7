//! Writes elements.

use std::fmt::Display;

use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};

use super::text::escaped;

/// The bytes of a text that grows.
pub(super) struct Out(Writer<Vec<u8>>);

impl Out {
    pub(super) fn new() -> Out {
        Out(Writer::new(Vec::new()))
    }

    pub(super) fn open(&mut self, name: &str) {
        self.event(Event::Start(BytesStart::new(name)));
    }

    pub(super) fn open_with(&mut self, name: &str, attributes: &[(&str, &dyn Display)]) {
        self.event(Event::Start(start(name, attributes)));
    }

    pub(super) fn close(&mut self, name: &str) {
        self.event(Event::End(BytesEnd::new(name)));
    }

    /// An element with nothing in it.
    pub(super) fn empty(&mut self, name: &str, attributes: &[(&str, &dyn Display)]) {
        self.event(Event::Empty(start(name, attributes)));
    }

    /// An element with a text that needs no escape of this form.
    pub(super) fn leaf(&mut self, name: &str, text: &str) {
        self.open(name);
        self.event(Event::Text(BytesText::new(text)));
        self.close(name);
    }

    /// An element with any text.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.leaf(name, &escaped(text));
    }

    /// A new line, between elements only.
    pub(super) fn line(&mut self) {
        self.0.get_mut().push(b'\n');
    }

    /// What was written elsewhere.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.0.get_mut().extend_from_slice(bytes);
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0.into_inner()
    }

    fn event(&mut self, event: Event<'_>) {
        // A vector takes everything.
        let _ = self.0.write_event(event);
    }
}

fn start<'a>(name: &'a str, attributes: &[(&str, &dyn Display)]) -> BytesStart<'a> {
    let mut start = BytesStart::new(name);
    for (name, value) in attributes {
        start.push_attribute((*name, value.to_string().as_str()));
    }
    start
}
