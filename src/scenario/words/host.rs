//! Machines that parts of the platform run on, and the watch of one.

use serde_json::{Value, json};

use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::Text;
use crate::base::yaml::{Node, ScalarKind};
use crate::scenario::decode::{Context, Raw};
use crate::scenario::define::block;
use crate::scenario::field::List;
use crate::scenario::schema::Defs;
use crate::scenario::value::text;

block! {
    /// A machine that a part of the platform runs on already. Peakdrill is started there by a program such as ssh, to put it under strain or to watch it.
    pub struct Host("a host") {
        title: optional("title") Text,
        /// Its address or its name, inside `allow`.
        address: required("address") String,
        /// The words that a command line there follows; left out: [ssh, -o, BatchMode=yes, -o, ControlPath=none, ADDRESS].
        via: optional("via") List<String>,
        /// What peakdrill is called there; left out: peakdrill.
        program: optional("program") String,
        /// The folder in which `fill-disk` takes room; left out: /var/tmp.
        folder: optional("folder") String,
    }
    check(check_host);
}

fn check_host(host: &Host, _: Mark, cx: &mut Context<'_>) {
    if let Some(via) = host.via.get().filter(|via| via.items.is_empty() && via.complete) {
        let wrong = Diagnostic::error("empty-list", via.mark, "nothing leads to this host");
        cx.say(wrong.help("write the words that a command line there follows, such as [ssh, ops@10.0.0.21]"));
    }
    // A shell may take it apart there.
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+~".contains(c);
    if let Some(program) = host.program.get().filter(|program| !program.value.chars().all(plain)) {
        let message = format!("`{}` is not one program", program.value);
        let help = "write its name or its path there, such as /usr/local/bin/peakdrill; its arguments are ours";
        cx.say(Diagnostic::error("program", program.mark, message).help(help));
    }
    if let Some(folder) = host.folder.get().filter(|folder| !folder.value.starts_with('/')) {
        let message = format!("`{}` is no path from the root", folder.value);
        cx.say(Diagnostic::error("path", folder.mark, message).help("write it such as /var/tmp"));
    }
}

block! {
    /// What a whole machine does, once a second; its figures are NAME.cpu (busy cores), NAME.memory (bytes in use), and in
    /// bytes a second NAME.disk-read, NAME.disk-write, NAME.network-in and NAME.network-out.
    pub struct HostWatch("a watch of a machine") {
        title: optional("title") Text,
        /// true: the machine that the drill runs on; or one of `hosts`.
        host: required("host") Machine,
    }
}

/// This machine, or one of `hosts`.
#[derive(Debug, Clone, PartialEq)]
pub enum Machine {
    This,
    Host(String),
}

impl Raw for Machine {
    fn decode(node: &Node, at: Mark, cx: &mut Context<'_>) -> Option<Machine> {
        match node.as_scalar().map(|scalar| &scalar.kind) {
            Some(ScalarKind::Bool(true)) => Some(Machine::This),
            Some(ScalarKind::Bool(false)) => {
                let message = "`host` is true, for the machine that the drill runs on, or one of `hosts`";
                cx.say(Diagnostic::error("range", node.mark, message).help("leave this watch out, or write true"));
                None
            }
            _ => {
                text(node, "`true` or the name of a host", cx)?;
                String::decode(node, at, cx).map(Machine::Host)
            }
        }
    }

    fn schema(defs: &mut Defs) -> Value {
        json!({ "anyOf": [{ "const": true }, String::schema(defs)] })
    }
}
