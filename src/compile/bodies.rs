//! Files that bodies are made of: read once all steps are known, and kept in the plan by their hash.

use super::context::Cx;
use super::feed;
use super::load::Files;
use super::whole::Walked;
use crate::base::diagnostic::Diagnostic;
use crate::plan::{Action, Body, Chore, FileBody, PartContent};
use crate::scenario::Spanned;

/// No larger file is sent: each of its requests holds all of it.
const LONGEST: usize = 64 << 20;

/// Puts hashes and lengths where [`super::request`] has left the numbers of `names`.
pub(super) fn fill(
    names: &[Spanned<String>],
    walked: &mut Walked,
    chores: [&mut Vec<Chore>; 2],
    files: &mut Files<'_, '_>,
    cx: &mut Cx<'_>,
) {
    let mut read: Vec<FileBody> = Vec::new();
    for name in names {
        let found = feed::file(name, files.entry, files.load, cx);
        cx.broken |= found.is_none();
        let (file, bytes) = found.unwrap_or_default();
        if bytes.len() > LONGEST {
            let message = format!("`{file}` has {} bytes, and {LONGEST} are the most that a body has", bytes.len());
            cx.say(Diagnostic::error("file", name.mark, message).help("each request holds all of its body"));
        }
        read.push(FileBody { file, sha256: feed::sha256(&bytes), bytes: bytes.len() as u64 });
    }
    let mut put = |body: &mut FileBody| {
        if let Some(found) = body.file.parse().ok().and_then(|index: usize| read.get(index)) {
            *body = found.clone();
        }
    };
    walked.journeys.iter_mut().for_each(|journey| visit(&mut journey.actions, &mut put));
    for chore in chores.into_iter().flatten() {
        visit(chore.work.actions_mut(), &mut put);
    }
}

fn visit(actions: &mut [Action], put: &mut impl FnMut(&mut FileBody)) {
    for action in actions {
        match action {
            Action::Request(request) => match &mut request.body {
                Some(Body::File { file, .. }) => put(file),
                Some(Body::Multipart(parts)) => {
                    for part in parts {
                        if let PartContent::File { file, .. } = &mut part.content {
                            put(file);
                        }
                    }
                }
                Some(Body::Json(_) | Body::Text(_) | Body::Form(_)) | None => {}
            },
            Action::Repeat(repeat) => visit(&mut repeat.actions, put),
            Action::Group(group) => visit(&mut group.actions, put),
            Action::Choose(branches) => branches.iter_mut().for_each(|branch| visit(&mut branch.actions, put)),
            Action::If { then, otherwise, .. } => {
                visit(then, put);
                visit(otherwise, put);
            }
            Action::Poll(_) | Action::Let(_) | Action::Think(_) | Action::Rendezvous(_) => {}
        }
    }
}
