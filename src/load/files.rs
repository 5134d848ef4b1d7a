//! Files that requests carry: read once before the load begins, and written into multipart bodies once for all visits.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::LoadError;
use super::feeds::bytes;
use crate::base::rng::{Key, Purpose, Uuid};
use crate::base::template::{Bound, Escape, RenderError, Visit};
use crate::plan::{Action, Body, FileBody, Part, PartContent, Plan};

/// What a plan's bodies are made of, by the names of the files. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Files(Arc<BTreeMap<String, Bytes>>);

impl Files {
    /// Files lie in `folder`, and must be those that the plan was made with.
    pub(super) fn read(plan: &Plan, folder: &Path) -> Result<Files, LoadError> {
        let mut found = BTreeMap::new();
        let mut read = |body: &FileBody| -> Result<(), LoadError> {
            if !found.contains_key(&body.file) {
                let refuse = |why| LoadError::Text { place: "a body".to_owned(), why };
                found.insert(body.file.clone(), bytes(&body.file, &body.sha256, folder).map_err(refuse)?.into());
            }
            Ok(())
        };
        let chores = plan.prepare.iter().chain(&plan.cleanup).map(|chore| chore.work.actions());
        for actions in plan.journeys.iter().map(|journey| journey.actions.as_slice()).chain(chores) {
            visit(actions, &mut read)?;
        }
        Ok(Files(Arc::new(found)))
    }

    pub(super) fn get(&self, body: &FileBody) -> Option<Bytes> {
        self.0.get(&body.file).cloned()
    }
}

fn visit(actions: &[Action], read: &mut impl FnMut(&FileBody) -> Result<(), LoadError>) -> Result<(), LoadError> {
    for action in actions {
        match action {
            Action::Request(request) => match &request.body {
                Some(Body::File { file, .. }) => read(file)?,
                Some(Body::Multipart(parts)) => {
                    for part in parts {
                        if let PartContent::File { file, .. } = &part.content {
                            read(file)?;
                        }
                    }
                }
                Some(Body::Json(_) | Body::Text(_) | Body::Form(_)) | None => {}
            },
            Action::Repeat(repeat) => visit(&repeat.actions, read)?,
            Action::Group(group) => visit(&group.actions, read)?,
            Action::Choose(branches) => {
                for branch in branches {
                    visit(&branch.actions, read)?;
                }
            }
            Action::If { then, otherwise, .. } => {
                visit(then, read)?;
                visit(otherwise, read)?;
            }
            Action::Poll(_) | Action::Let(_) | Action::Think(_) | Action::Rendezvous(_) => {}
        }
    }
    Ok(())
}

/// A multipart body (RFC 7578): what is the same for all visits, and what is rendered for each.
pub(super) struct Multipart {
    pub boundary: String,
    pieces: Vec<Piece>,
}

enum Piece {
    Fixed(Vec<u8>),
    File(Bytes),
    Open(Bound),
}

impl Multipart {
    /// `bind` compiles the texts of parts.
    pub(super) fn new(
        parts: &[Part],
        files: &Files,
        mut bind: impl FnMut(&crate::plan::Template) -> Result<Bound, LoadError>,
    ) -> Result<Multipart, LoadError> {
        let contents: Vec<Bytes> = parts.iter().filter_map(|part| file_of(part, files)).collect();
        let mut made = Multipart { boundary: boundary(&contents), pieces: Vec::new() };
        for (index, part) in parts.iter().enumerate() {
            let mut head = format!("{}--{}\r\n", if index > 0 { "\r\n" } else { "" }, made.boundary);
            head.push_str(&format!("content-disposition: form-data; name=\"{}\"", quoted(&part.name)));
            let kind = match &part.content {
                PartContent::Text(_) => part.content_type.as_deref(),
                PartContent::File { filename, .. } => {
                    head.push_str(&format!("; filename=\"{}\"", quoted(filename)));
                    Some(part.content_type.as_deref().unwrap_or("application/octet-stream"))
                }
            };
            if let Some(kind) = kind {
                head.push_str(&format!("\r\ncontent-type: {kind}"));
            }
            head.push_str("\r\n\r\n");
            made.fixed(head.as_bytes());
            match &part.content {
                PartContent::Text(text) => {
                    let bound = bind(text)?;
                    match bound.constant() {
                        Some(text) => made.fixed(text.as_bytes()),
                        None => made.pieces.push(Piece::Open(bound)),
                    }
                }
                PartContent::File { file, .. } => made.pieces.extend(files.get(file).map(Piece::File)),
            }
        }
        let end = format!("{}--{}--\r\n", if parts.is_empty() { "" } else { "\r\n" }, made.boundary);
        made.fixed(end.as_bytes());
        Ok(made)
    }

    fn fixed(&mut self, text: &[u8]) {
        match self.pieces.last_mut() {
            Some(Piece::Fixed(last)) => last.extend_from_slice(text),
            _ => self.pieces.push(Piece::Fixed(text.to_vec())),
        }
    }

    /// All of it, where it is the same for every visit.
    pub(super) fn constant(&self) -> Option<Bytes> {
        let mut whole = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Fixed(text) => whole.extend_from_slice(text),
                Piece::File(bytes) => whole.extend_from_slice(bytes),
                Piece::Open(_) => return None,
            }
        }
        Some(whole.into())
    }

    pub(super) fn render(&self, visit: &Visit<'_>, out: &mut Vec<u8>) -> Result<(), RenderError> {
        for piece in &self.pieces {
            match piece {
                Piece::Fixed(text) => out.extend_from_slice(text),
                Piece::File(bytes) => out.extend_from_slice(bytes),
                Piece::Open(bound) => bound.render(visit, Escape::None, out)?,
            }
        }
        Ok(())
    }
}

fn file_of(part: &Part, files: &Files) -> Option<Bytes> {
    match &part.content {
        PartContent::File { file, .. } => files.get(file),
        PartContent::Text(_) => None,
    }
}

/// A text that stands in none of the files: the same in every run.
fn boundary(contents: &[Bytes]) -> String {
    let mut stream = Key::plan(0).stream(Purpose::Plan(u32::MAX), 0);
    loop {
        let text = format!("peakdrill-{}", Uuid::draw(&mut stream));
        let inside = |content: &Bytes| content.windows(text.len()).any(|window| window == text.as_bytes());
        if !contents.iter().any(inside) {
            return text;
        }
    }
}

/// For a name in quotation marks, as browsers write it (WHATWG HTML, 4.10.21.8).
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}
