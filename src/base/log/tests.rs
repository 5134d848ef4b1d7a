use super::*;

const COMMON: &str = r#"10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET /a?x=1 HTTP/1.0" 200 2326
10.0.0.2 - ann [10/Oct/2000:13:55:36 -0700] "GET /b HTTP/1.1" 304 -
10.0.0.1 - - [10/Oct/2000:13:55:35 -0700] "POST /c HTTP/1.1" 201 0

10.0.0.3 - - [10/Oct/2000:13:55:37 -0700] "-" 400 0
"#;

fn fields() -> Fields {
    let [time, method, path, session, status] = ["ts", "method", "path", "client", "status"].map(str::to_owned);
    Fields { time, method, path, session, status }
}

fn said(text: &str, format: &Format) -> Vec<(usize, usize, String)> {
    let (_, mistakes) = read(text, format);
    let place = |mistake: Mistake| {
        let before = &text[..mistake.from];
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (before.matches('\n').count() + 1, column, mistake.message)
    };
    mistakes.into_iter().map(place).collect()
}

#[test]
fn common_lines_are_ordered_and_a_second_is_spread() {
    let (entries, mistakes) = read(COMMON, &Format::Common);
    assert_eq!(mistakes, []);
    // 2000-10-10T20:55:35Z
    let zero = 971_211_335_000_000_000;
    let found: Vec<_> = entries.iter().map(|e| (e.at - zero, e.method.as_str(), e.target.as_str())).collect();
    let expected = [(0, "POST", "/c"), (1_000_000_000, "GET", "/a?x=1"), (1_500_000_000, "GET", "/b")];
    assert_eq!(found, expected);
    assert_eq!(
        entries.iter().map(|e| e.session.as_str()).collect::<Vec<_>>(),
        ["10.0.0.1 -", "10.0.0.1 -", "10.0.0.2 ann"]
    );
    assert_eq!(entries[2].status, Some(304));
}

#[test]
fn combined_lines_may_hold_escaped_quotes() {
    let line =
        r#"::1 - - [01/Jan/2024:00:00:00 +0800] "GET https://shop.test/p/1 HTTP/1.1" 200 1 "-" "a \"b\" c" 0.012"#;
    let (entries, mistakes) = read(line, &Format::Combined);
    assert_eq!(mistakes, []);
    assert_eq!((entries[0].target.as_str(), entries[0].at), ("/p/1", 1_704_038_400_000_000_000));
}

#[test]
fn every_line_that_cannot_be_read_has_its_place() {
    let text = r#"a - - [10/Okt/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 1
a - - [10/Oct/2000:13:55:36 -0700] "GET" 200 1
a - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" ok 1
a - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0
a - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 1 "-" "curl"
a - - [31/Feb/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 1
a - -
"#;
    let places: Vec<(usize, usize)> =
        said(text, &Format::Common).into_iter().map(|(line, column, _)| (line, column)).collect();
    assert_eq!(places, [(1, 8), (2, 37), (3, 53), (4, 36), (5, 59), (6, 8), (7, 6)]);
}

#[test]
fn json_lines_have_a_named_time() {
    let text = "{\"ts\":\"2024-05-01T12:00:00.25+02:00\",\"method\":\"get\",\"path\":\"/a b\",\"client\":7,\"status\":200}\n\
        {\"ts\":1714557600.5,\"method\":\"GET\",\"path\":\"/b\"}\n{\"ts\":1714557600750,\"method\":\"GET\",\"path\":\"/c\"}\n";
    let (entries, mistakes) = read(text, &Format::Json(fields()));
    assert_eq!(mistakes, []);
    let at: Vec<u64> = entries.iter().map(|entry| entry.at - 1_714_557_600_000_000_000).collect();
    assert_eq!(at, [250_000_000, 500_000_000, 750_000_000]);
    assert_eq!(entries[0].target, "/a%20b");
    let wrong = "{\"ts\":\"noon\",\"method\":\"GET\",\"path\":\"/\"}\n{\"at\":1}\n[1]\n{\"ts\":1,\n{\"ts\":1,\"method\":\"GET\",\"path\":\"x\"}\n";
    insta::assert_debug_snapshot!(said(wrong, &Format::Json(fields())));
}

#[test]
fn a_har_has_pages() {
    let entry = |at: &str, url: &str| {
        format!(
            "{{\"pageref\":\"p1\",\"startedDateTime\":\"{at}\",\"request\":{{\"method\":\"GET\",\"url\":\"{url}\"}},\"response\":{{\"status\":200}}}}"
        )
    };
    let good = entry("2024-05-01T12:00:00.125Z", "https://shop.test/x?y#z");
    let har =
        |entries: &[&str]| format!("{{\"log\":{{\"version\":\"1.2\",\"entries\":[\n{}\n]}}}}", entries.join(",\n"));
    let (entries, mistakes) = read(&har(&[&good]), &Format::Har);
    assert_eq!(mistakes, []);
    assert_eq!((entries[0].target.as_str(), entries[0].session.as_str()), ("/x?y", "p1"));
    let wrong = [entry("soon", "https://a/"), "{}".to_owned()];
    insta::assert_debug_snapshot!(said(&har(&[&good, &wrong[0], &wrong[1]]), &Format::Har));
    assert_eq!(said("{\"log\":1}", &Format::Har), [(1, 1, "this is no HAR: it has no `log.entries`".to_owned())]);
    assert_eq!(said("{\n  \"log\": x}", &Format::Har).len(), 1);
}

#[test]
fn patterns_stand_for_paths() {
    for (pattern, path, fit) in [
        ("/products/*", "/products/17?x=/y", true),
        ("/products/*", "/products", false),
        ("/products/*", "/products/17/reviews", false),
        ("/products/**", "/products/17/reviews", true),
        ("/p*s", "/products", true),
        ("/**/x", "/a/b/x", true),
        ("/", "/", true),
        ("/a", "/ab", false),
    ] {
        assert_eq!(fits(pattern, path), fit, "{pattern} and {path}");
    }
    assert_eq!(guess("/orders/7f3a/items?page=2"), "/orders/*/items");
}
