//! Writes JSON straight into a buffer: no tree, no copy, no allocation beyond the buffer's own growth.
//!
//! Not a general writer: texts come from tables, names and numbers of ours and need no escape, which is
//! checked while debugging.

use std::io::Write;

/// An object being written.
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> Object<'a> {
    /// Writes an object.
    pub(super) fn write(out: &'a mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
        out.push(b'{');
        let mut object = Object { out, is_empty: true };
        fill(&mut object);
        object.out.push(b'}');
    }

    /// Writes a member that is text.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        debug_assert!(!value.contains(['"', '\\']) && !value.contains(char::is_control), "{value} needs an escape");
        self.name(name);
        self.out.push(b'"');
        self.out.extend_from_slice(value.as_bytes());
        self.out.push(b'"');
    }

    /// Writes a member that is a text made of something printable.
    pub(super) fn display(&mut self, name: &str, value: impl std::fmt::Display) {
        self.name(name);
        write!(self.out, "\"{value}\"").expect("a Vec takes all bytes");
    }

    /// Writes a member that is a whole number.
    pub(super) fn number(&mut self, name: &str, value: impl Into<i128>) {
        self.name(name);
        write!(self.out, "{}", value.into()).expect("a Vec takes all bytes");
    }

    /// Writes a member that is true or false.
    pub(super) fn flag(&mut self, name: &str, value: bool) {
        self.name(name);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// Writes a member that is an object.
    pub(super) fn object(&mut self, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        Object::write(self.out, fill);
    }

    /// Writes a member that is a list of texts.
    pub(super) fn texts<'b>(&mut self, name: &str, values: impl Iterator<Item = &'b str>) {
        self.name(name);
        self.out.push(b'[');
        for (index, value) in values.enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.out.push(b'"');
            self.out.extend_from_slice(value.as_bytes());
            self.out.push(b'"');
        }
        self.out.push(b']');
    }

    /// Writes members that were written before.
    pub(super) fn members(&mut self, json: &str) {
        self.comma();
        self.out.extend_from_slice(json.as_bytes());
    }

    fn name(&mut self, name: &str) {
        self.comma();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn comma(&mut self) {
        if !std::mem::take(&mut self.is_empty) {
            self.out.push(b',');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Object;

    #[test]
    fn what_is_written_is_json() {
        let mut out = Vec::new();
        Object::write(&mut out, |object| {
            object.text("a", "é’");
            object.number("b", -5_i64);
            object.object("c", |inner| inner.members("\"d\":1,\"e\":2"));
            object.object("empty", |_| {});
            object.flag("f", true);
            object.texts("g", ["x", "y"].into_iter());
            object.display("h", 7);
        });
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"a":"é’","b":-5,"c":{"d":1,"e":2},"empty":{},"f":true,"g":["x","y"],"h":"7"}"#
        );
    }
}
