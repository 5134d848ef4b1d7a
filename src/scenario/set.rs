//! `--set vars.peak=60/s`: one value laid over the file.

use crate::base::diagnostic::{Diagnostic, Mark, Sources, nearest};
use crate::base::yaml::{self, Key, Kind, Map, Node};

/// How many names a path may have.
const MAX_PATH: usize = 20;

pub(super) fn set(tree: &mut Node, set: &str, sources: &mut Sources, found: &mut Vec<Diagnostic>) {
    let source = sources.add("--set", set);
    let at = |start: usize, length: usize| {
        let byte = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Mark { source, start: byte(start), end: byte(start + length) }
    };
    let whole = at(0, set.len());
    let Some((path, value)) = set.split_once('=').filter(|(path, _)| !path.trim().is_empty()) else {
        let wrong = Diagnostic::error("set", whole, "a setting is a path, `=` and a value");
        found.push(wrong.help("write --set vars.peak=60/s"));
        return;
    };
    if value.trim().is_empty() {
        let wrong = Diagnostic::error("set", whole, "this setting has no value");
        found.push(wrong.help("write a value after `=`; null takes the entry out"));
        return;
    }
    let (_, value, wrong) = yaml::read(sources, &format!("--set {path}"), value.as_bytes());
    found.extend(wrong);
    let Some(value) = value else { return };

    let mut names = Vec::new();
    let mut start = 0;
    for name in path.split('.') {
        names.push((name.trim(), at(start, name.len())));
        start += name.len() + 1;
    }
    if let Some((_, mark)) = names
        .iter()
        .enumerate()
        .find_map(|(index, (name, mark))| (name.is_empty() || index >= MAX_PATH).then_some((name, mark)))
    {
        found.push(Diagnostic::error("set", *mark, "this is no path").help("write names with `.` between them"));
        return;
    }
    if let Err(wrong) = place(tree, &names, value) {
        found.push(*wrong);
    }
}

fn place(tree: &mut Node, names: &[(&str, Mark)], value: Node) -> Result<(), Box<Diagnostic>> {
    let Some(((name, mark), rest)) = names.split_first() else {
        *tree = value;
        return Ok(());
    };
    let absent = |known: &mut dyn Iterator<Item = &str>| {
        let wrong = Diagnostic::error("set", *mark, format!("there is no `{name}` to set"));
        Box::new(match nearest(name, known) {
            Some(meant) => wrong.help(format!("did you mean `{meant}`?")),
            None => wrong,
        })
    };
    match &mut tree.kind {
        Kind::Hole => Ok(()),
        Kind::Map(map) => {
            let Some(at) = map.entries.iter().position(|(key, _)| key.text == *name) else {
                // A word of a block may be left out of the file; a var may not, since nothing would use it.
                if *name == "vars" || value.is_null() {
                    return Err(absent(&mut map.entries.iter().map(|(key, _)| key.text.as_str())));
                }
                let mut node = Node { mark: *mark, kind: Kind::Map(Map { entries: Vec::new(), complete: true }) };
                place(&mut node, rest, value)?;
                map.entries.push((Key { text: (*name).to_owned(), mark: *mark }, node));
                return Ok(());
            };
            if rest.is_empty() && value.is_null() {
                map.entries.remove(at);
                return Ok(());
            }
            let Some((key, node)) = map.entries.get_mut(at) else { return Ok(()) };
            if *name == "vars"
                && let (Some(vars), Some((var, mark))) = (node.as_map(), rest.first())
                && vars.get(var).is_none()
            {
                let wrong = Diagnostic::error("set", *mark, format!("there is no var `{var}` to set"));
                let names: Vec<&str> = vars.entries.iter().map(|(key, _)| key.text.as_str()).collect();
                let help = match nearest(var, names.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("there are: {}", names.join(" ")),
                };
                return Err(Box::new(wrong.help(help)));
            }
            if rest.is_empty() {
                key.mark = *mark;
            }
            place(node, rest, value)
        }
        Kind::List(items) => {
            let count = items.len();
            let item = name.parse::<usize>().ok().and_then(|index| items.get_mut(index));
            let item = item.ok_or_else(|| {
                let message = format!("`{name}` is no entry of this list; it has {count}, counted from 0");
                Box::new(Diagnostic::error("set", *mark, message))
            })?;
            place(item, rest, value)
        }
        Kind::Scalar(_) => Err(absent(&mut std::iter::empty())),
    }
}
