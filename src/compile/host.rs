//! Machines that parts of the platform run on.

use super::allow;
use super::context::Cx;
use crate::plan::{Allow, Host};
use crate::scenario;

const PROGRAM: &str = "peakdrill";
const FOLDER: &str = "/var/tmp";

/// As written, in their order.
pub(super) fn hosts(platform: &scenario::Platform, allowed: Option<&[Allow]>, cx: &mut Cx<'_>) -> Vec<Host> {
    let map = cx.get(&platform.hosts).map(|map| &map.value);
    let mut made = Vec::new();
    for (name, host) in cx.entries(map) {
        cx.broken |= !host.complete;
        let Some(address) = cx.need(&host.address) else { continue };
        allow::check_host(address, allowed, cx);
        let path = |word: &str| format!("platform.hosts.{}.{word}", name.value);
        let via = match cx.get(&host.via) {
            Some(via) => {
                let words: Vec<String> = cx.items(&via.value).iter().map(|word| word.value.clone()).collect();
                cx.note(path("via"), &words.join(" "), via.mark);
                words
            }
            None => {
                let words = ["ssh", "-o", "BatchMode=yes", "-o", "ControlPath=none", &address.value]
                    .map(str::to_owned)
                    .to_vec();
                cx.note_default(path("via"), &words.join(" "));
                words
            }
        };
        made.push(Host {
            name: name.value.clone(),
            title: cx.get(&host.title).map(|title| title.value.clone()).unwrap_or_default(),
            address: address.value.clone(),
            via,
            program: cx.settle(path("program"), &host.program, PROGRAM.to_owned()),
            folder: cx.settle(path("folder"), &host.folder, FOLDER.to_owned()),
        });
    }
    made
}
