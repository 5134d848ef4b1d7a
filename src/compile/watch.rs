//! What is observed: processes, probes, alerts, pages of figures, machines, and ratios of what they keep.

use std::net::SocketAddr;

use super::allow;
use super::context::Cx;
use super::names::Names;
use super::platform::{Processes, check_path, only_endpoint};
use super::text::{Own, Place, Reach};
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::Span;
use crate::plan::{Allow, EndpointId, HOST_FIGURES, HostId, ProcessId, Template, Watch, WatchId, WatchKind, Watched};
use crate::scenario::{self, List, Spanned};

const PROBE: Span = Span::SECOND;

/// What watches speak of.
pub(super) struct Around<'c> {
    pub(super) allowed: Option<&'c [Allow]>,
    pub(super) reach: &'c Reach<'c>,
    pub(super) processes: &'c Processes,
    pub(super) endpoints: &'c Names,
    pub(super) hosts: &'c Names,
}

/// The processes whose load is watched.
pub(super) fn watched_processes(watches: &[Watch]) -> Vec<ProcessId> {
    let of = |watch: &Watch| match &watch.kind {
        WatchKind::Process(ids) => ids.clone(),
        _ => Vec::new(),
    };
    watches.iter().flat_map(of).collect()
}

pub(super) fn watches(platform: &scenario::Platform, around: &Around<'_>, cx: &mut Cx<'_>) -> Vec<Watch> {
    let map = cx.get(&platform.watch).map(|map| &map.value);
    let entries = cx.entries(map);
    let figures = figures(&entries);
    let whole = platform.watch.value().is_none_or(|map| map.complete && map.entries.iter().all(|(_, it)| it.is_some()));
    let mut made = Vec::new();
    for (name, watch) in &entries {
        let (title, kind) = match &watch.value {
            scenario::Watch::Process(watch) => {
                cx.broken |= !watch.complete;
                let ids = cx.need(&watch.process).and_then(|process| around.processes.find(process, cx));
                (&watch.title, ids.map(|ids| WatchKind::Process(ids.to_vec())))
            }
            scenario::Watch::Probe(watch) => (&watch.title, probe(name, watch, around.endpoints, cx)),
            scenario::Watch::Page(watch) => (&watch.title, page(watch, around, cx)),
            scenario::Watch::Host(watch) => {
                cx.broken |= !watch.complete;
                (&watch.title, cx.need(&watch.host).and_then(|host| machine(host, around.hosts, cx)))
            }
            scenario::Watch::Alert(watch) => (&watch.title, alert(name, watch, &made, cx)),
            scenario::Watch::Ratio(watch) => (&watch.title, ratio(name, watch, &figures, whole, cx)),
        };
        let title = cx.get(title).map(|title| title.value.clone()).unwrap_or_default();
        match kind {
            Some(kind) => made.push(Watch { name: name.value.clone(), title, kind }),
            None => cx.broken = true,
        }
    }
    made
}

fn probe(
    name: &Spanned<String>,
    watch: &scenario::ProbeWatch,
    endpoints: &Names,
    cx: &mut Cx<'_>,
) -> Option<WatchKind> {
    cx.broken |= !watch.complete;
    let endpoint = match cx.get(&watch.endpoint) {
        Some(endpoint) => endpoints.find(endpoint, cx),
        None if watch.endpoint.is_hole() => None,
        None => only_endpoint(endpoints, name.mark, "this probe", cx),
    };
    let get = cx.need(&watch.get);
    if let Some(get) = get {
        check_path(&get.value, get.mark, cx);
    }
    let every = cx.settle(format!("platform.watch.{}.every", name.value), &watch.every, PROBE);
    if let Some(written) = watch.every.get().filter(|every| every.value < Span::millis(10)) {
        let message = "a probe is asked every 10ms at the most";
        cx.say(Diagnostic::error("range", written.mark, message));
    }
    let (endpoint, get) = endpoint.zip(get)?;
    Some(WatchKind::Probe { endpoint: EndpointId::at(endpoint), get: get.value.clone(), every })
}

fn machine(host: &Spanned<scenario::Machine>, hosts: &Names, cx: &mut Cx<'_>) -> Option<WatchKind> {
    match &host.value {
        scenario::Machine::This => Some(WatchKind::Host),
        scenario::Machine::Host(name) => {
            let name = Spanned { value: name.clone(), mark: host.mark, key: host.key };
            hosts.find(&name, cx).map(|index| WatchKind::Remote(HostId::at(index)))
        }
    }
}

fn alert(name: &Spanned<String>, watch: &scenario::AlertWatch, before: &[Watch], cx: &mut Cx<'_>) -> Option<WatchKind> {
    cx.broken |= !watch.complete;
    let alert = cx.need(&watch.alert)?;
    cx.broken |= !alert.value.complete;
    let listen = cx.need(&alert.value.listen)?;
    let at = listen.value.parse().ok();
    let Some(at) = at.filter(|at: &SocketAddr| at.port() != 0 && at.ip().is_loopback()) else {
        let message = format!("`{}` is no address that only this machine reaches", listen.value);
        let help = "whoever reaches it can say that a fault was detected: write it such as 127.0.0.1:9099";
        cx.say(Diagnostic::error("address", listen.mark, message).help(help));
        return None;
    };
    let kind = WatchKind::Alert { listen: at };
    if let Some(taken) = before.iter().find(|other| other.kind == kind) {
        let message = format!("`{}` listens at {at} already, and so cannot `{}`", taken.name, name.value);
        cx.say(Diagnostic::error("address", listen.mark, message));
    }
    Some(kind)
}

fn page(watch: &scenario::PageWatch, around: &Around<'_>, cx: &mut Cx<'_>) -> Option<WatchKind> {
    cx.broken |= !watch.complete;
    let place = cx.need(&watch.prometheus).and_then(|url| address(url, around, cx));
    let keep = cx.need(&watch.keep).and_then(|keep| kept(&keep.value, cx));
    let ((url, path), keep) = place.zip(keep)?;
    Some(WatchKind::Page { url, path, keep })
}

/// Where a page is: its origin, and its path.
fn address(url: &Spanned<scenario::Template>, around: &Around<'_>, cx: &mut Cx<'_>) -> Option<(Template, String)> {
    let text = url.text().trim();
    let origin = match text.split_once("://").map(|(scheme, _)| scheme.len() + 3) {
        Some(begin) if matches!(&text[..begin], "http://" | "https://") => {
            // A path begins after the last template of the host.
            let host = text.rfind("}}").map_or(begin, |end| end + 2);
            text[host..].find('/').map(|slash| host + slash)
        }
        _ => None,
    };
    let Some(origin) = origin else {
        let message = format!("`{text}` is no URL of http or https with a path");
        let help = "write the scheme, the host, the port and the path: http://127.0.0.1:8080/metrics";
        cx.say(Diagnostic::error("url", url.mark, message).help(help));
        return None;
    };
    let (origin, path) = text.split_at(origin);
    allow::check_url(origin, url.mark, around.allowed, around.reach, cx);
    check_path(path, url.mark, cx);
    let (template, _) = around.reach.check(origin, url.mark, Place::Start, &Own::default(), cx);
    Some((template, path.to_owned()))
}

/// None where one was refused: nobody knows what it was to be.
fn kept(list: &List<String>, cx: &mut Cx<'_>) -> Option<Vec<String>> {
    let mut whole = list.complete;
    let mut keep: Vec<String> = Vec::new();
    for item in cx.items(list) {
        let sound = scenario::is_metric(&item.value);
        whole &= sound;
        if !sound {
            let message = format!("`{}` is no name of a figure", item.value);
            let help = "write the name alone, such as shop_orders_total: what is kept is the sum over its label sets";
            cx.say(Diagnostic::error("metric", item.mark, message).help(help));
        } else if keep.contains(&item.value) {
            cx.say(Diagnostic::error("given-twice", item.mark, format!("`{}` is kept twice", item.value)));
        } else {
            keep.push(item.value.clone());
        }
    }
    whole.then_some(keep)
}

/// What pages keep and machines show, by the names that it is spoken of.
fn figures(entries: &[(&Spanned<String>, &Spanned<scenario::Watch>)]) -> Vec<(String, Watched)> {
    let mut figures = Vec::new();
    for (index, (name, watch)) in entries.iter().enumerate() {
        let read: Vec<&str> = match &watch.value {
            scenario::Watch::Page(page) => {
                page.keep.value().into_iter().flat_map(|keep| keep.iter()).map(|item| item.value.as_str()).collect()
            }
            scenario::Watch::Host(_) => HOST_FIGURES.to_vec(),
            _ => continue,
        };
        for (metric, figure) in (0u32..).zip(read) {
            let of = Watched { watch: WatchId::at(index), metric };
            figures.push((format!("{}.{figure}", name.value), of));
        }
    }
    figures
}

fn ratio(
    name: &Spanned<String>,
    watch: &scenario::RatioWatch,
    figures: &[(String, Watched)],
    whole: bool,
    cx: &mut Cx<'_>,
) -> Option<WatchKind> {
    cx.broken |= !watch.complete;
    if scenario::Measure::is_word(&name.value) {
        let message = format!("`{}` is a measure already: a ratio is spoken of by its name", name.value);
        cx.say(Diagnostic::error("name-taken", name.mark, message).help("give it another name"));
    }
    let ratio = cx.need(&watch.ratio)?;
    cx.broken |= !ratio.complete;
    let mut side = |field: &scenario::Field<String>| {
        let written = cx.need(field)?;
        let found = figures.iter().find(|(known, _)| *known == written.value);
        if found.is_none() && whole {
            unknown(written, figures, cx);
        }
        found.map(|(_, of)| *of)
    };
    let (of, to) = (side(&ratio.of), side(&ratio.to));
    if let (Some(_), Some(mark), true) = (of, ratio.to.get().map(|to| to.mark), of == to) {
        cx.say(Diagnostic::error("not-both", mark, "a figure as a part of itself is always 1"));
    }
    Some(WatchKind::Ratio { of: of?, to: to? })
}

fn unknown(written: &Spanned<String>, figures: &[(String, Watched)], cx: &mut Cx<'_>) {
    let known: Vec<&str> = figures.iter().map(|(name, _)| name.as_str()).collect();
    let message = format!("no watch keeps a figure `{}`", written.value);
    let unknown = Diagnostic::error("unknown-name", written.mark, message);
    cx.say(match crate::base::diagnostic::nearest(&written.value, known.iter().copied()) {
        Some(meant) => unknown.help(format!("did you mean `{meant}`?")),
        None if known.is_empty() => {
            unknown.help("write watch: { shop: { prometheus: URL, keep: [NAME] } }, and speak of it as shop.NAME")
        }
        None => unknown.help(format!("the watched figures are: {}", known.join(" "))),
    });
}

/// The measure of a watched figure or of a ratio, by its name; its unit is that of its bounds.
pub(super) fn measure(
    word: &Spanned<String>,
    watches: &[Watch],
    lost: bool,
    bounds: &[&Spanned<scenario::Figure>],
    cx: &mut Cx<'_>,
) -> Option<crate::plan::Measure> {
    let mut names = Vec::new();
    let mut found = None;
    for (index, watch) in watches.iter().enumerate() {
        let id = WatchId::at(index);
        match &watch.kind {
            WatchKind::Ratio { .. } => {
                found = found.or((watch.name == word.value).then_some(None));
                names.push((watch.name.clone(), id));
            }
            kind => {
                for (metric, figure) in (0u32..).zip(kind.figures()) {
                    let name = format!("{}.{figure}", watch.name);
                    found = found.or((name == word.value).then_some(Some(Watched { watch: id, metric })));
                    names.push((name, id));
                }
            }
        }
    }
    let Some(of) = found else {
        if !lost {
            let names: Vec<String> = names.into_iter().map(|(name, _)| name).collect();
            cx.say(scenario::Measure::unknown(&word.value, word.mark, &names));
        }
        return None;
    };
    let unit = unit(&word.value, of.is_none(), bounds, cx)?;
    match of {
        Some(of) => Some(crate::plan::Measure::Watched { of, unit }),
        None => {
            let (_, watch) = names.into_iter().find(|(name, _)| *name == word.value)?;
            Some(crate::plan::Measure::Ratio { watch, unit })
        }
    }
}

/// Pages tell plain numbers in base units: seconds, bytes, parts of one.
fn unit(name: &str, ratio: bool, bounds: &[&Spanned<scenario::Figure>], cx: &mut Cx<'_>) -> Option<crate::plan::Unit> {
    use crate::plan::Unit;
    use scenario::Figure;
    let mut unit: Option<(Unit, Mark)> = None;
    for bound in bounds {
        let one = match bound.value {
            Figure::Number(_) => Some(Unit::Number),
            Figure::Share(_) => Some(Unit::Share),
            Figure::Size(_) if !ratio => Some(Unit::Size),
            Figure::Span(_) if !ratio => Some(Unit::Span),
            _ => None,
        };
        let fits = one.filter(|one| unit.is_none_or(|(known, _)| known == *one));
        if let Some(one) = fits {
            unit = Some((one, bound.mark));
            continue;
        }
        let what = match ratio {
            true => "a share such as 3%, or a plain number",
            false => "a plain number, or in base units a duration, a size or a share",
        };
        let message = match unit {
            Some(_) if one.is_some() => "`at-least` and `at-most` have one unit".to_owned(),
            _ => format!("a bound of `{name}` is {what}"),
        };
        cx.say(Diagnostic::error("wrong-unit", bound.mark, message));
        return None;
    }
    unit.map(|(unit, _)| unit)
}
