//! `allow`, and what the text of an address tells about it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::context::Cx;
use super::text::Reach;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::plan::Allow;
use crate::scenario::{List, Spanned};

const HELP: &str = "write a network (127.0.0.0/8), an address (10.1.2.3), a name with or without its port (shop.test:8080), or unix:/path";

/// What `allow` allows; `None` when an entry was refused, since nobody knows what it was to allow.
pub(super) fn read(list: &Spanned<List<String>>, cx: &mut Cx<'_>) -> Option<Vec<Allow>> {
    let mut whole = list.complete;
    let mut allowed = Vec::new();
    for item in cx.items(&list.value) {
        match entry(item.value.trim()) {
            Some(entry) => allowed.push(entry),
            None => {
                whole = false;
                let message = format!("`{}` is neither a network nor an address nor a name", item.value);
                cx.say(Diagnostic::error("allow", item.mark, message).help(HELP));
            }
        }
    }
    if list.items.is_empty() && list.complete {
        let message = "`allow` is empty: no request could be sent";
        cx.say(Diagnostic::error("allow", list.mark, message).help(HELP));
    }
    whole.then_some(allowed)
}

fn entry(text: &str) -> Option<Allow> {
    if let Some(path) = text.strip_prefix("unix:") {
        return is_socket(path).then(|| Allow::Socket { path: path.to_owned() });
    }
    if let Ok(network) = text.parse::<ipnet::IpNet>() {
        return Some(Allow::Network { address: network.network(), prefix: network.prefix_len() });
    }
    if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        let prefix = if address.is_ipv4() { 32 } else { 128 };
        return Some(Allow::Network { address, prefix });
    }
    if text.contains('/') {
        return None;
    }
    let (host, port) = split(text)?;
    (is_host(host) || host.parse::<IpAddr>().is_ok()).then(|| Allow::Name { host: host.to_ascii_lowercase(), port })
}

/// `host:port`, `[::1]:port` or `host`.
fn split(text: &str) -> Option<(&str, Option<u16>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port.parse().ok()?))),
            None => rest.is_empty().then_some((host, None)),
        };
    }
    match text.split_once(':') {
        Some((host, port)) => Some((host, Some(port.parse().ok().filter(|port| *port > 0)?))),
        None => Some((text, None)),
    }
}

/// The path of a Unix socket: from the root, since nobody should have to guess where it begins.
fn is_socket(path: &str) -> bool {
    path.starts_with('/') && !path.ends_with('/') && !path.contains(char::is_control)
}

fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
    };
    host.len() <= 253 && host.split('.').all(label) && !host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

fn holds_address(allowed: &[Allow], wanted: IpAddr, wanted_port: u16) -> bool {
    allowed.iter().any(|entry| match entry {
        Allow::Network { address, prefix } => {
            ipnet::IpNet::new(*address, *prefix).is_ok_and(|network| network.contains(&wanted))
        }
        Allow::Socket { .. } => false,
        Allow::Name { host, port } => host.parse() == Ok(wanted) && port.is_none_or(|port| port == wanted_port),
    })
}

/// May requests go to `host`, as far as its text tells? A name that is not in `allow` might lead to an allowed network: it is
/// refused still, since what it leads to is decided elsewhere; `localhost` is the loopback.
fn holds(allowed: &[Allow], wanted: &str, wanted_port: u16) -> bool {
    if let Ok(address) = wanted.parse::<IpAddr>() {
        return holds_address(allowed, address, wanted_port);
    }
    let named = allowed.iter().any(|entry| {
        matches!(entry, Allow::Name { host, port } if host.eq_ignore_ascii_case(wanted) && port.is_none_or(|port| port == wanted_port))
    });
    let local = wanted.eq_ignore_ascii_case("localhost")
        && (holds_address(allowed, Ipv4Addr::LOCALHOST.into(), wanted_port)
            || holds_address(allowed, Ipv6Addr::LOCALHOST.into(), wanted_port));
    named || local
}

fn check_socket(text: &str, path: &str, mark: Mark, allowed: Option<&[Allow]>, cx: &mut Cx<'_>) {
    if text.contains("{{") || text.contains("{%") {
        return;
    }
    if !is_socket(path) {
        let message = format!("`{text}` is no path of a Unix socket");
        cx.say(Diagnostic::error("url", mark, message).help("write it from the root: unix:/run/shop.sock"));
    } else if allowed.is_some_and(|allowed| {
        !allowed.is_empty()
            && !allowed.iter().any(|entry| matches!(entry, Allow::Socket { path: known } if known == path))
    }) {
        let message = format!("`{text}` is outside `allow`: nothing may be sent there");
        let help = format!("add `{text}` to `platform.allow`, if it may be drilled");
        cx.say(Diagnostic::error("outside-allow", mark, message).help(help));
    }
}

/// Checks the address of a machine, and that it is allowed on any port: who is let in there may do anything to it.
pub(super) fn check_host(address: &Spanned<String>, allowed: Option<&[Allow]>, cx: &mut Cx<'_>) {
    let host = address.value.as_str();
    if !is_host(host) && host.parse::<IpAddr>().is_err() {
        let message = format!("`{host}` is neither an address nor a name of a machine");
        cx.say(
            Diagnostic::error("address", address.mark, message)
                .help("write it without user and port, such as 10.0.0.21; how it is reached is said by `via`"),
        );
    } else if allowed.is_some_and(|allowed| !allowed.is_empty() && !holds(allowed, host, 0)) {
        let message = format!("`{host}` is outside `allow`: nothing may be done there");
        cx.say(
            Diagnostic::error("outside-allow", address.mark, message)
                .help(format!("add `{host}` to `platform.allow`, without a port, if it may be drilled")),
        );
    }
}

/// Checks `host:port`, and that the host is allowed.
pub(super) fn check_address(text: &str, mark: Mark, allowed: Option<&[Allow]>, reach: &Reach<'_>, cx: &mut Cx<'_>) {
    let sound = text.contains("{{") || split(text).is_some_and(|(_, port)| port.is_some());
    if sound {
        return check_url(&format!("http://{text}"), mark, allowed, reach, cx);
    }
    let message = format!("`{text}` is no host with a port");
    cx.say(
        Diagnostic::error("address", mark, message)
            .help("write it such as \"{{ process.payment.address }}\" or 10.1.2.3:5432"),
    );
}

/// Checks the URL of an endpoint: scheme, host, port, nothing else, and that its host is allowed.
pub(super) fn check_url(text: &str, mark: Mark, allowed: Option<&[Allow]>, reach: &Reach<'_>, cx: &mut Cx<'_>) {
    let wrong = |message: String| {
        Diagnostic::error("url", mark, message).help("write the scheme, the host and the port: http://127.0.0.1:8080")
    };
    if let Some(path) = text.strip_prefix("unix:") {
        return check_socket(text, path, mark, allowed, cx);
    }
    let Some((rest, port)) = text
        .strip_prefix("http://")
        .map(|rest| (rest, 80))
        .or_else(|| text.strip_prefix("https://").map(|rest| (rest, 443)))
    else {
        // What begins with a template tells nothing.
        if !text.starts_with("{{") && !text.starts_with("{%") {
            cx.say(wrong(format!("`{text}` is no URL of http or https, and no `unix:` with a path")));
        }
        return;
    };
    if let Some(template) = rest.strip_prefix("{{") {
        // What lives in a network is allowed with its network.
        let process =
            template.trim_start().strip_prefix("process.").and_then(|rest| rest.split(['.', ' ', '}']).next());
        let of_process = process.is_some_and(|process| !reach.lives_in_network(process));
        if let Some(allowed) = allowed.filter(|allowed| of_process && !holds(allowed, "127.0.0.1", 0)) {
            let all_ports = allowed
                .iter()
                .any(|entry| matches!(entry, Allow::Name { host, .. } if host == "127.0.0.1" || host == "localhost"));
            if !all_ports {
                let message = "processes of the drill listen on 127.0.0.1, which is outside `allow`";
                cx.say(Diagnostic::error("outside-allow", mark, message).help("add 127.0.0.0/8 to `platform.allow`"));
            }
        }
        return;
    }
    if rest.contains("{{") || rest.contains("{%") {
        return;
    }
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#']) {
        let message = format!("`{text}` has a path; an endpoint is a scheme, a host and a port");
        cx.say(Diagnostic::error("url", mark, message).help("write the path in the steps: get: /path"));
        return;
    }
    if authority.contains('@') {
        let message = "an endpoint carries no user and password";
        cx.say(
            Diagnostic::error("url", mark, message)
                .help("send them as a header: Authorization: \"Basic {{ secret.name }}\""),
        );
        return;
    }
    let parts = split(authority).filter(|(host, _)| is_host(host) || host.parse::<IpAddr>().is_ok());
    let Some((host, written)) = parts else {
        cx.say(wrong(format!("`{text}` names no host that could be reached")));
        return;
    };
    let port = written.unwrap_or(port);
    if allowed.is_some_and(|allowed| !allowed.is_empty() && !holds(allowed, host, port)) {
        let message = format!("`{host}` is outside `allow`: nothing may be sent there");
        cx.say(
            Diagnostic::error("outside-allow", mark, message)
                .help(format!("add `{host}:{port}` to `platform.allow`, if it may be drilled")),
        );
    }
}
