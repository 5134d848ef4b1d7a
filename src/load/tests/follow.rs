use super::support::{Maker, Told, run_with};
use crate::base::units::Span;
use crate::load::Options;
use crate::plan::{Allow, Body, Method, Request};
use crate::record::BadKind;
use crate::wire::scripted::{Do, Scripted, Seen, answer};

const ONE: Options = Options { workers: Some(1), spin: None };

fn to(status: u16, location: &str) -> Vec<Do> {
    vec![answer(status, &[("location", location)], "moved")]
}

fn tell(maker: Maker, mut maker_steps: Vec<crate::plan::Action>) -> Told {
    for action in &mut maker_steps {
        if let crate::plan::Action::Request(request) = action {
            request.on_failure = crate::plan::OnFailure::Continue;
        }
    }
    run_with(maker.only(maker_steps, 1.0, Span::SECOND), ONE, |_, _| {})
}

fn follow(request: &mut Request) {
    request.follow = Some(3);
}

/// Methods are kept or become GET as RFC 9110, 15.4 says; cookies go along; it is one request.
#[test]
fn redirects_are_followed_as_a_browser_does() {
    let server = Scripted::start(|seen| {
        let body = if seen.method == "HEAD" { "" } else { "moved" };
        if seen.path.contains("there") {
            return vec![answer(200, &[], body)];
        }
        let status = seen.path[1..4].parse().unwrap();
        vec![answer(status, &[("location", "there?a b#x"), ("set-cookie", "sid=s1; Path=/")], body)]
    });
    let mut maker = Maker::new(&server.url());
    let mut steps = Vec::new();
    for (method, status) in [
        (Method::Post, 301),
        (Method::Post, 302),
        (Method::Put, 302),
        (Method::Put, 303),
        (Method::Head, 303),
        (Method::Post, 307),
        (Method::Post, 308),
    ] {
        let mut request = maker.request(method, &format!("/{status}/{method}"));
        if method != Method::Head {
            request.body = Some(Body::Json(serde_json::json!({ "n": 1 })));
        }
        request.headers = vec![("Authorization".to_owned(), super::support::text("Bearer x"))];
        follow(&mut request);
        steps.push(crate::plan::Action::Request(Box::new(request)));
    }
    let told = tell(maker, steps);
    let came = |seen: &Seen| {
        let header = |name| seen.header(name).unwrap_or("-").to_owned();
        format!("{} {} {} {}", seen.method, header("content-type"), header("content-length"), seen.body)
    };
    let log = server.log();
    let followed: Vec<String> = log.iter().filter(|seen| seen.path.contains("there")).map(came).collect();
    let (get, body) = ("GET - - ", "application/json 7 {\"n\":1}");
    let wanted = [get, get, &format!("PUT {body}"), get, "HEAD - - ", &format!("POST {body}"), &format!("POST {body}")];
    assert_eq!(followed, wanted);
    for seen in log.iter().filter(|seen| seen.path.contains("there")) {
        assert!(seen.path.ends_with("/there?a%20b"), "{}", seen.path);
        assert_eq!(seen.header("cookie"), Some("sid=s1"));
        assert_eq!(seen.header("authorization"), Some("Bearer x"));
        assert_eq!(seen.head.matches("host:").count(), 1);
    }
    for step in &told.plan.steps {
        let counts = told.counts(&step.name);
        assert_eq!((counts.ok, counts.bad()), (1, 0), "{}: {:?}", step.name, told.failures);
    }
}

#[test]
fn redirects_that_lead_astray_are_bad_and_those_that_are_not_followed_are_answers() {
    let server = Scripted::start(|seen| match seen.path.as_str() {
        "/circle" => to(302, "/circle/2"),
        "/circle/2" => to(302, "/circle"),
        "/nowhere" => vec![answer(302, &[], "")],
        "/ftp" => to(302, "ftp://127.0.0.1/"),
        "/fails" => to(302, "/broken"),
        "/broken" => vec![answer(500, &[], "")],
        path if path.starts_with("/deep") => to(307, &format!("{path}x")),
        _ => to(301, "/circle"),
    });
    let mut maker = Maker::new(&server.url());
    let mut steps: Vec<_> =
        ["/circle", "/nowhere", "/ftp", "/fails", "/deep"].map(|path| maker.get_with(path, follow)).into();
    steps.push(maker.get_with("/plain", |_| {}));
    steps.push(maker.get_with("/expected", |request| {
        request.expect.status = vec![crate::plan::StatusSet::Class(3)];
    }));
    let told = tell(maker, steps);
    for (path, kind, why) in [
        ("/circle", BadKind::Redirect, "/circle was asked before"),
        ("/nowhere", BadKind::Redirect, "says no `Location`"),
        ("/ftp", BadKind::Redirect, "leads to `ftp://127.0.0.1/`"),
        ("/fails", BadKind::Status, "the status is 500"),
        ("/deep", BadKind::Redirect, "more than 3 redirects"),
        ("/plain", BadKind::Status, "the status is 301"),
    ] {
        assert_eq!(told.counts(path).bad, [(kind, 1)], "{path}");
        let series = told.series(path);
        let found = told.failures.iter().find(|failure| failure.series == series).unwrap();
        assert!(found.why.contains(why), "{path}: {}", found.why);
    }
    assert_eq!(told.counts("/expected").ok, 1);
    let deep = server.log().iter().filter(|seen| seen.path.starts_with("/deep")).count();
    assert_eq!(deep, 4, "the first and three more");
}

/// Elsewhere is where the allow-list says; what is for the first host alone does not go there.
#[test]
fn no_redirect_leads_out_of_what_is_allowed() {
    let other = Scripted::start(|_| vec![answer(200, &[("set-cookie", "sid=other; Path=/")], "{}")]);
    let there = other.url();
    // Nothing listens there, and nothing is dialled: 127.0.0.9 is not allowed below.
    let outside = "http://127.0.0.9:9/secret";
    let server = Scripted::start({
        let there = there.clone();
        move |seen| match seen.path.as_str() {
            "/login" => vec![answer(200, &[("set-cookie", "sid=s1; Path=/")], "")],
            "/outside" => to(302, outside),
            "/back" => vec![answer(200, &[], "")],
            _ => to(307, &format!("{there}/landed?x=1")),
        }
    });
    let mut maker = Maker::new(&server.url());
    maker.plan.platform.allow = vec![Allow::Network { address: [127, 0, 0, 1].into(), prefix: 32 }];
    let mut away = maker.request(Method::Post, "/away");
    away.body = Some(Body::Text(super::support::text("hello")));
    away.headers = vec![
        ("Authorization".to_owned(), super::support::text("Bearer x")),
        ("X-Mark".to_owned(), super::support::text("m")),
    ];
    follow(&mut away);
    let away = crate::plan::Action::Request(Box::new(away));
    let steps = vec![maker.get("/login"), away, maker.get_with("/outside", follow), maker.get("/back")];
    let told = tell(maker, steps);
    assert_eq!(told.counts("/away").ok, 1, "{:?}", told.failures);
    assert_eq!(told.counts("/outside").bad, [(BadKind::Forbidden, 1)]);
    let log = other.log();
    let [landed] = log.as_slice() else { panic!("{log:?}") };
    assert_eq!((landed.method.as_str(), landed.path.as_str(), landed.body.as_str()), ("POST", "/landed?x=1", "hello"));
    assert_eq!(landed.header("host"), there.strip_prefix("http://"));
    assert_eq!(
        (landed.header("authorization"), landed.header("cookie"), landed.header("x-mark")),
        (None, None, Some("m"))
    );
    let why = told.failures.iter().find(|failure| failure.kind == BadKind::Forbidden).map(|failure| &failure.why);
    assert!(why.is_some_and(|why| why.contains("`platform.allow` does not name")), "{why:?}");
    // The other host's cookie is the other host's.
    let back = server.log().into_iter().find(|seen| seen.path == "/back").unwrap();
    assert_eq!(back.header("cookie"), Some("sid=s1"));
}
