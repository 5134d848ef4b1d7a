//! What a request carries.

use super::context::Cx;
use super::journey::Walker;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::plan::{Body, FileBody, Part, PartContent};
use crate::scenario::{self, Spanned};

impl Walker<'_, '_> {
    /// The body of a request, if it has one.
    pub(super) fn body(&mut self, request: &scenario::Request, cx: &mut Cx<'_>) -> Option<Body> {
        if let Some(json) = cx.get(&request.json) {
            return self.json(&json.value, cx).map(Body::Json);
        }
        if cx.get(&request.form).is_some() {
            return Some(Body::Form(self.pairs(&request.form, false, cx)));
        }
        if let Some(parts) = cx.get(&request.multipart) {
            let parts = cx.entries(Some(&parts.value));
            return Some(Body::Multipart(
                parts.into_iter().filter_map(|(name, part)| self.part(name, part, cx)).collect(),
            ));
        }
        let body = cx.get(&request.body)?;
        match &body.value {
            scenario::BodyText::Text(text) => Some(Body::Text(self.text(text.text(), body.mark, cx))),
            scenario::BodyText::File(block) => {
                cx.broken |= !block.complete;
                let content_type = cx.get(&block.content_type).and_then(|kind| content_type(kind, cx));
                let file = self.file(cx.need(&block.file)?);
                Some(Body::File { file, content_type })
            }
        }
    }

    fn part(&mut self, name: &Spanned<String>, part: &Spanned<scenario::PartValue>, cx: &mut Cx<'_>) -> Option<Part> {
        let block = match &part.value {
            scenario::PartValue::Text(text) => {
                let content = PartContent::Text(self.text(text.text(), part.mark, cx));
                return Some(Part { name: name.value.clone(), content, content_type: None });
            }
            scenario::PartValue::Block(block) => block,
        };
        cx.broken |= !block.complete;
        let kind = cx.get(&block.content_type).and_then(|kind| content_type(kind, cx));
        let content = if let Some(text) = cx.get(&block.text) {
            PartContent::Text(self.text(text.text(), text.mark, cx))
        } else {
            let written = cx.get(&block.file)?;
            let own = written.value.rsplit('/').next().unwrap_or_default();
            let filename = cx.get(&block.filename).map_or_else(|| own.to_owned(), |name| name.value.clone());
            PartContent::File { file: self.file(written), filename }
        };
        Some(Part { name: name.value.clone(), content, content_type: kind })
    }

    /// A file, by its number until it is read.
    fn file(&mut self, name: &Spanned<String>) -> FileBody {
        self.steps.files.push(name.clone());
        FileBody { file: (self.steps.files.len() - 1).to_string(), sha256: String::new(), bytes: 0 }
    }
}

fn content_type(kind: &Spanned<String>, cx: &mut Cx<'_>) -> Option<String> {
    let sound = kind.value.split_once('/').is_some_and(|(first, second)| !first.is_empty() && !second.is_empty());
    if !sound || http::HeaderValue::from_str(&kind.value).is_err() {
        say(&kind.value, kind.mark, cx);
        return None;
    }
    Some(kind.value.clone())
}

fn say(kind: &str, mark: Mark, cx: &mut Cx<'_>) {
    let message = format!("`{kind}` is no type of content");
    cx.say(Diagnostic::error("header", mark, message).help("write it such as image/png or text/plain; charset=utf-8"));
}
