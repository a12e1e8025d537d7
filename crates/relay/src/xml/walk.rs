//! Walks over an XML text, taking only what the form has: elements, their attributes, their texts.
//!
//! No document types, so no entities but the five of XML itself; no processing instructions, no comments, no prefixes of
//! names. What is not expected is refused where it stands.

use std::fmt::Display;
use std::str::FromStr;

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};

use super::text::{is_blank, unescaped};
use crate::Refused;

/// The longest text of what is no text of an object: numbers, ids, names.
const WORD_BYTES_MAX: usize = 256;

/// A walk over a text.
pub(super) struct Walk<'a> {
    reader: Reader<&'a [u8]>,
    ahead: Option<Token<'a>>,
    begun: bool,
}

enum Token<'a> {
    Start(BytesStart<'a>),
    Text(String),
    End,
    Finish,
}

/// The start of an element.
pub(super) struct Element<'a>(BytesStart<'a>);

impl<'a> Walk<'a> {
    pub(super) fn over(text: &'a str) -> Walk<'a> {
        let mut reader = Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        Walk {
            reader,
            ahead: None,
            begun: false,
        }
    }

    /// A refusal that says where.
    pub(super) fn refused(&self, told: impl Display) -> Refused {
        Refused::malformed(format!("near byte {}: {told}", self.reader.buffer_position()))
    }

    /// The next element inside the present one; `None` at the present one's end.
    pub(super) fn child(&mut self) -> Result<Option<Element<'a>>, Refused> {
        self.skip_blanks()?;
        match self.next()? {
            Token::Start(start) => Ok(Some(Element(start))),
            token => {
                self.ahead = Some(token);
                Ok(None)
            }
        }
    }

    /// Whether the next thing is the start of an element of this name.
    pub(super) fn is_at(&mut self, name: &str) -> Result<bool, Refused> {
        self.skip_blanks()?;
        let token = self.next()?;
        let found = matches!(&token, Token::Start(start) if start.name().as_ref() == name.as_bytes());
        self.ahead = Some(token);
        Ok(found)
    }

    /// The start of an element of this name.
    pub(super) fn open(&mut self, name: &str) -> Result<Element<'a>, Refused> {
        match self.child()? {
            Some(element) if element.name() == name.as_bytes() => Ok(element),
            _ => Err(self.refused(format_args!("<{name}> is expected"))),
        }
    }

    /// The start of an element of this name without attributes.
    pub(super) fn open_plain(&mut self, name: &str) -> Result<(), Refused> {
        let element = self.open(name)?;
        self.attributes(&element, []).map(|[]| ())
    }

    /// The end of the present element.
    pub(super) fn close(&mut self) -> Result<(), Refused> {
        self.skip_blanks()?;
        match self.next()? {
            Token::End => Ok(()),
            _ => Err(self.refused("the element should end here")),
        }
    }

    /// The end of the text.
    pub(super) fn finish(&mut self) -> Result<(), Refused> {
        self.skip_blanks()?;
        match self.next()? {
            Token::Finish => Ok(()),
            _ => Err(self.refused("the file should end here")),
        }
    }

    /// The text of the present element, to its end.
    pub(super) fn text(&mut self, bytes_max: usize) -> Result<String, Refused> {
        let mut text = String::new();
        loop {
            match self.next()? {
                Token::Text(more) if text.is_empty() => text = more,
                Token::Text(more) => text.push_str(&more),
                Token::End => return Ok(text),
                _ => return Err(self.refused("there is an element where a text should be")),
            }
            if text.len() > bytes_max {
                return Err(self.refused("the text is too long"));
            }
        }
    }

    /// The text of the present element in the escape of this form, read back.
    pub(super) fn escaped_text(&mut self, bytes_max: usize) -> Result<String, Refused> {
        // A character of one byte takes at most six when it is escaped.
        let text = self.text(bytes_max.saturating_mul(6))?;
        match unescaped(&text) {
            Some(text) if text.len() <= bytes_max => Ok(text.into_owned()),
            _ => Err(self.refused("the text is too long, or a backslash stands alone in it")),
        }
    }

    /// The short text of the present element, read as a value. White space around it is nothing.
    pub(super) fn parsed<T: FromStr>(&mut self) -> Result<T, Refused> {
        let text = self.text(WORD_BYTES_MAX)?;
        let word = text.trim_matches(is_blank);
        word.parse()
            .map_err(|_| self.refused("the text is not what it should be"))
    }

    /// An element of this name with a short text.
    pub(super) fn leaf<T: FromStr>(&mut self, name: &str) -> Result<T, Refused> {
        self.open_plain(name)?;
        self.parsed()
    }

    /// An element of this name with a short text, if it comes next.
    pub(super) fn optional<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, Refused> {
        if self.is_at(name)? {
            self.leaf(name).map(Some)
        } else {
            Ok(None)
        }
    }

    /// The values of exactly these attributes of an element, in this order.
    pub(super) fn attributes<const N: usize>(
        &self,
        element: &Element<'_>,
        names: [&str; N],
    ) -> Result<[String; N], Refused> {
        self.attributes_and(element, names, []).map(|(values, [])| values)
    }

    /// The values of exactly these attributes of an element, in two parts.
    pub(super) fn attributes_and<const N: usize, const M: usize>(
        &self,
        element: &Element<'_>,
        names: [&str; N],
        more: [&str; M],
    ) -> Result<([String; N], [String; M]), Refused> {
        let mut first = names.map(|_| None);
        let mut second = more.map(|_| None);
        for attribute in element.0.attributes() {
            let attribute = attribute.map_err(|_| self.refused("an attribute is not well-formed"))?;
            let mut places = names.iter().zip(&mut first).chain(more.iter().zip(&mut second));
            let place = places.find(|(name, _)| name.as_bytes() == attribute.key.as_ref());
            let value = std::str::from_utf8(&attribute.value).ok();
            let value = value.filter(|value| value.len() <= WORD_BYTES_MAX && !value.contains(['&', '<']));
            match (place, value) {
                (Some((_, slot)), Some(value)) => *slot = Some(value.trim_matches(is_blank).to_owned()),
                _ => return Err(self.refused("an attribute is not expected here")),
            }
        }
        if first.iter().chain(&second).any(Option::is_none) {
            return Err(self.refused("an attribute is missing"));
        }
        Ok((
            first.map(Option::unwrap_or_default),
            second.map(Option::unwrap_or_default),
        ))
    }

    /// The number that is the value of an attribute.
    pub(super) fn number<T: FromStr>(&self, value: &str) -> Result<T, Refused> {
        let plain = value.bytes().all(|byte| byte.is_ascii_digit());
        let number = plain.then(|| value.parse().ok()).flatten();
        number.ok_or_else(|| self.refused("an attribute is not a number of its size"))
    }

    fn skip_blanks(&mut self) -> Result<(), Refused> {
        loop {
            match self.next()? {
                Token::Text(text) if text.chars().all(is_blank) => {}
                Token::Text(_) => return Err(self.refused("there is a text between elements")),
                token => {
                    self.ahead = Some(token);
                    return Ok(());
                }
            }
        }
    }

    fn next(&mut self) -> Result<Token<'a>, Refused> {
        if let Some(token) = self.ahead.take() {
            return Ok(token);
        }
        loop {
            let first = !std::mem::replace(&mut self.begun, true);
            let event = self.reader.read_event();
            let event = event.map_err(|error| self.refused(format_args!("not well-formed: {error}")))?;
            return Ok(match event {
                Event::Start(start) => Token::Start(start),
                Event::End(_) => Token::End,
                Event::Eof => Token::Finish,
                Event::Decl(_) if first => continue,
                Event::Text(text) => match text.xml10_content() {
                    Ok(text) => Token::Text(text.into_owned()),
                    Err(_) => return Err(self.refused("a text is not well-formed")),
                },
                Event::CData(text) => match text.xml10_content() {
                    Ok(text) => Token::Text(text.into_owned()),
                    Err(_) => return Err(self.refused("a text is not well-formed")),
                },
                Event::GeneralRef(name) => {
                    let char = name.resolve_char_ref().ok().flatten();
                    let char = char.filter(|char| is_xml(*char)).map(String::from);
                    let named = || name.decode().ok().and_then(|name| resolve_xml_entity(&name));
                    let text = char.or_else(|| named().map(str::to_owned));
                    Token::Text(text.ok_or_else(|| self.refused("no entity is resolved"))?)
                }
                Event::DocType(_) => return Err(self.refused("there is a document type")),
                Event::Comment(_) => return Err(self.refused("there is a comment")),
                Event::PI(_) | Event::Decl(_) => {
                    return Err(self.refused("there is a processing instruction"));
                }
                Event::Empty(_) => return Err(self.refused("not well-formed")),
            });
        }
    }
}

impl Element<'_> {
    pub(super) fn name(&self) -> &[u8] {
        self.0.name().0
    }

    /// Its name, as a text.
    pub(super) fn word(&self) -> String {
        String::from_utf8_lossy(self.name()).into_owned()
    }
}

/// Whether XML 1.0 has this character.
pub(super) const fn is_xml(char: char) -> bool {
    match char {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        char => char as u32 >= 0x20,
    }
}
