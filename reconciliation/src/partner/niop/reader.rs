//! Reads XML by its layout, as a stream: one record at a time, in bounded memory.
//!
//! Strict: elements in the schema's order and nothing besides, no document type, no entities, no
//! attributes but the root's. White space between elements means nothing; inside a value it counts,
//! except around numbers and times, where the schema's types collapse it.

use std::io::{self, BufRead, Read};

use quick_xml::Reader;
use quick_xml::errors::Error as XmlError;
use quick_xml::events::{BytesStart, Event};

use crate::partner::layout::{Element, Form, Frame, Layout};
use crate::partner::record::{Draft, Record};
use crate::partner::refusal::{Fault, FileError, Place, Refusal, Wrong};

/// Nothing between two angle brackets is longer.
const PIECE_MAX: usize = 4096;

/// A file of XML.
#[derive(Debug)]
pub struct XmlReader<R: BufRead> {
    layout: &'static Layout,
    frame: Frame,
    xml: Reader<Counted<R>>,
    buffer: Vec<u8>,
    draft: Draft,
    value: String,
    records: u64,
    is_begun: bool,
    is_over: bool,
}

/// What comes next in a document, without what means nothing.
enum Piece {
    Start(String),
    End,
    Text,
    Over,
}

impl<R: BufRead> XmlReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// When it is not as the layout says, or the disk fails.
    pub fn open(layout: &'static Layout, input: R) -> Result<(Self, Record), FileError> {
        let Form::Xml(frame) = layout.form else {
            let wanted = "the reader of its own form";
            return Err(Refusal::of_file(Fault::File, "is not written in XML", wanted).into());
        };
        let mut xml = Reader::from_reader(Counted::new(input));
        xml.config_mut().expand_empty_elements = true;
        let mut reader = Self {
            layout,
            frame,
            xml,
            buffer: Vec::new(),
            draft: Draft::new(layout.header),
            value: String::new(),
            records: 0,
            is_begun: false,
            is_over: false,
        };
        reader.start(frame.root)?;
        if frame.header.is_empty() {
            // The header is all there is.
            let header = reader.elements(layout.header, Record::default())?;
            reader.finish()?;
            return Ok((reader, header));
        }
        reader.start(frame.header)?;
        let header = reader.elements(layout.header, Record::default())?;
        reader.start(frame.records)?;
        Ok((reader, header))
    }

    /// Reads the next record; false after the last.
    ///
    /// # Errors
    /// When it is not as the layout says, or the disk fails.
    pub fn next(&mut self, record: &mut Record) -> Result<bool, FileError> {
        if self.is_over {
            return Ok(false);
        }
        match self.piece()? {
            Piece::Start(name) if name == self.frame.record => {
                self.records += 1;
                let room = std::mem::take(record);
                *record = self.elements(self.layout.record, room)?;
                Ok(true)
            }
            Piece::End => {
                match self.piece()? {
                    Piece::End => self.finish()?,
                    Piece::Start(_) | Piece::Text | Piece::Over => {
                        return Err(self.refuse(Wrong::new(
                            "",
                            "goes on",
                            "the end of the document",
                        )));
                    }
                }
                Ok(false)
            }
            Piece::Start(_) | Piece::Text | Piece::Over => {
                Err(self.refuse(Wrong::new("", "is no record", self.frame.record)))
            }
        }
    }

    /// The line that was read last.
    pub fn line(&self) -> u64 {
        self.xml.get_ref().line
    }

    /// Reads the elements of a header or record, up to the end of the element around them.
    fn elements(
        &mut self,
        elements: &'static [Element],
        room: Record,
    ) -> Result<Record, FileError> {
        self.draft.restart(elements, room);
        loop {
            match self.piece()? {
                Piece::Start(name) => {
                    let is_group = self.draft.is_group(&name);
                    if is_group.map_err(|wrong| self.refuse(wrong))? {
                        let entered = self.draft.enter(&name);
                        entered.map_err(|wrong| self.refuse(wrong))?;
                    } else {
                        self.field(&name)?;
                    }
                }
                Piece::End if self.draft.depth() == 0 => {
                    let record = self.draft.end();
                    return record.map_err(|wrong| self.refuse(wrong));
                }
                Piece::End => {
                    let left = self.draft.leave();
                    left.map_err(|wrong| self.refuse(wrong))?;
                }
                Piece::Text => {
                    let path = self.draft.path("");
                    return Err(self.refuse(Wrong::new(path, "is text between fields", "none")));
                }
                Piece::Over => return Err(self.cut_short()),
            }
        }
    }

    /// Reads a field's value and its end.
    fn field(&mut self, name: &str) -> Result<(), FileError> {
        self.value.clear();
        loop {
            self.buffer.clear();
            self.xml.get_mut().piece_left = PIECE_MAX;
            let event = self.xml.read_event_into(&mut self.buffer);
            let wrong = match event {
                Ok(Event::Text(text)) => {
                    self.value.push_str(&text);
                    None
                }
                Ok(Event::End(_)) => break,
                Ok(Event::Comment(_)) => None,
                Ok(Event::Start(_) | Event::Empty(_)) => Some("has an element in it"),
                Ok(
                    Event::CData(_)
                    | Event::GeneralRef(_)
                    | Event::Decl(_)
                    | Event::PI(_)
                    | Event::DocType(_),
                ) => Some("has markup in it that no value needs"),
                Ok(Event::Eof) => return Err(self.cut_short()),
                Err(error) => return Err(self.failed(&error)),
            };
            if let Some(reason) = wrong {
                let wrong = Wrong::new(self.draft.path(name), reason, "plain text");
                return Err(self.refuse(wrong));
            }
        }
        let value = std::mem::take(&mut self.value);
        let put = self.draft.put(name, &value);
        self.value = value;
        put.map_err(|wrong| self.refuse(wrong))
    }

    /// Expects the beginning of an element.
    fn start(&mut self, name: &'static str) -> Result<(), FileError> {
        match self.piece()? {
            Piece::Start(found) if found == name => Ok(()),
            Piece::Over => Err(self.cut_short()),
            Piece::Start(_) | Piece::End | Piece::Text => {
                Err(self.refuse(Wrong::new("", "begins otherwise", format!("<{name}>"))))
            }
        }
    }

    /// Expects nothing more.
    fn finish(&mut self) -> Result<(), FileError> {
        self.is_over = true;
        match self.piece()? {
            Piece::Over => Ok(()),
            Piece::Start(_) | Piece::End | Piece::Text => {
                Err(self.refuse(Wrong::new("", "goes on behind its end", "nothing more")))
            }
        }
    }

    fn piece(&mut self) -> Result<Piece, FileError> {
        loop {
            self.buffer.clear();
            self.xml.get_mut().piece_left = PIECE_MAX;
            let event = self.xml.read_event_into(&mut self.buffer);
            let wrong = match event {
                Ok(Event::Start(start)) => {
                    // Namespaces and the schema's place stand in the root.
                    if !has_attributes(&start) || !self.is_begun {
                        self.is_begun = true;
                        return Ok(Piece::Start(start.name().0.to_owned()));
                    }
                    "has attributes"
                }
                Ok(Event::End(_)) => return Ok(Piece::End),
                Ok(Event::Text(text)) => {
                    if text.trim_matches([' ', '\t', '\r', '\n', '\u{feff}']).is_empty() {
                        continue;
                    }
                    return Ok(Piece::Text);
                }
                Ok(Event::Eof) => return Ok(Piece::Over),
                Ok(Event::Comment(_)) => continue,
                Ok(Event::Decl(_)) if !self.is_begun => continue,
                Ok(Event::DocType(_)) => "has a document type",
                Ok(
                    Event::Empty(_)
                    | Event::CData(_)
                    | Event::GeneralRef(_)
                    | Event::PI(_)
                    | Event::Decl(_),
                ) => "has markup that the format does not know",
                Err(error) => return Err(self.failed(&error)),
            };
            return Err(self.refuse(Wrong::new("", wrong, "elements and their text")));
        }
    }

    fn refuse(&self, wrong: Wrong) -> FileError {
        let place = Place { line: self.line(), record: self.records };
        Refusal::of_value(wrong, place).into()
    }

    fn cut_short(&self) -> FileError {
        let end = format!("</{}>", self.frame.root);
        let refusal = Refusal::of_file(Fault::File, "ends before its end", end);
        Refusal { line: self.line(), record: self.records, ..refusal }.into()
    }

    fn failed(&self, error: &XmlError) -> FileError {
        if let XmlError::Io(error) = error {
            if self.xml.get_ref().piece_left > 0 {
                return io::Error::new(error.kind(), error.to_string()).into();
            }
            let reason = format!("has more than {PIECE_MAX} bytes without an angle bracket");
            return self.refuse(Wrong::new("", reason, "elements and their text"));
        }
        // What the parser says is not passed on: it quotes.
        let refusal = Refusal::of_file(Fault::File, "is no XML from here on", "well-formed XML");
        Refusal { line: self.line(), record: self.records, ..refusal }.into()
    }
}

fn has_attributes(start: &BytesStart<'_>) -> bool {
    !start.attributes_raw().trim().is_empty()
}

/// Counts lines, and stops a piece that never ends.
#[derive(Debug)]
struct Counted<R> {
    input: R,
    line: u64,
    piece_left: usize,
}

impl<R> Counted<R> {
    const fn new(input: R) -> Self {
        Self { input, line: 1, piece_left: PIECE_MAX }
    }
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let there = self.fill_buf()?;
        let taken = there.len().min(room.len());
        room[..taken].copy_from_slice(&there[..taken]);
        self.consume(taken);
        Ok(taken)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.piece_left == 0 {
            return Err(io::Error::other("a piece of the document is too long"));
        }
        let there = self.input.fill_buf()?;
        Ok(&there[..there.len().min(self.piece_left)])
    }

    fn consume(&mut self, taken: usize) {
        if let Ok(there) = self.input.fill_buf() {
            let lines = there.iter().take(taken).filter(|byte| **byte == b'\n').count();
            self.line += u64::try_from(lines).unwrap_or(u64::MAX);
        }
        self.piece_left = self.piece_left.saturating_sub(taken);
        self.input.consume(taken);
    }
}
