use serde_json::{Value, json};

use crate::base::diagnostic::Mark;
use crate::base::yaml::{Kind, Node};
use crate::scenario::decode::{Context, Raw};
use crate::scenario::define::block;
use crate::scenario::schema::Defs;
use crate::scenario::value::Template;

/// A body: its text, or the file that it is.
#[derive(Debug, Clone, PartialEq)]
pub enum BodyText {
    Text(Template),
    File(Box<BodyFile>),
}

impl Raw for BodyText {
    fn decode(node: &Node, at: Mark, cx: &mut Context<'_>) -> Option<BodyText> {
        match &node.kind {
            Kind::Map(_) => cx.decode(node, at).map(|block| BodyText::File(Box::new(block))),
            _ => cx.decode(node, at).map(BodyText::Text),
        }
    }

    fn schema(defs: &mut Defs) -> Value {
        json!({ "anyOf": [Template::schema(defs), BodyFile::schema(defs)] })
    }
}

block! {
    /// A file that is a body.
    pub struct BodyFile("`body`") {
        /// A file beside the scenario.
        file: required("file") String,
        /// Its type of content, such as image/png; left out: none is said.
        content_type: optional("type") String,
    }
}

/// A part of a multipart body: its text, or a block.
#[derive(Debug, Clone, PartialEq)]
pub enum PartValue {
    Text(Template),
    Block(Box<PartBlock>),
}

impl Raw for PartValue {
    fn decode(node: &Node, at: Mark, cx: &mut Context<'_>) -> Option<PartValue> {
        match &node.kind {
            Kind::Map(_) => cx.decode(node, at).map(|block| PartValue::Block(Box::new(block))),
            _ => cx.decode(node, at).map(PartValue::Text),
        }
    }

    fn schema(defs: &mut Defs) -> Value {
        json!({ "anyOf": [Template::schema(defs), PartBlock::schema(defs)] })
    }
}

block! {
    /// A part of a multipart body.
    pub struct PartBlock("a part") {
        text: optional("text") Template,
        /// A file beside the scenario.
        file: optional("file") String,
        /// What the file is called there; left out: as it is called here.
        filename: optional("filename") String,
        /// Its type of content, such as image/png; left out: none for a text, application/octet-stream for a file.
        content_type: optional("type") String,
    }
    one_of("text", "file");
    check(check_part);
}

fn check_part(part: &PartBlock, _: Mark, cx: &mut Context<'_>) {
    if let (Some(mark), true) = (part.filename.written(), part.file.is_absent()) {
        let message = "`filename` goes with `file`: a text is no file";
        cx.say(crate::base::diagnostic::Diagnostic::error("does-not-go", mark, message));
    }
}
