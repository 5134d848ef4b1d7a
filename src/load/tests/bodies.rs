use std::path::Path;

use super::support::{Maker, run_with, text};
use crate::base::units::Span;
use crate::load::{Feeds, Options};
use crate::plan::{Action, Body, FileBody, Method, Part, PartContent, Request};
use crate::wire::scripted::{Scripted, ok};

const ONE: Options = Options { workers: Some(1), spin: None };

/// A file of this folder.
fn file(name: &str) -> FileBody {
    use sha2::Digest;
    let bytes = std::fs::read(Path::new("src/load/tests").join(name)).unwrap();
    let sha256 = sha2::Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    FileBody { file: name.to_owned(), sha256, bytes: bytes.len() as u64 }
}

fn post(maker: &mut Maker, path: &str, body: Body) -> Action {
    let mut request: Request = maker.request(Method::Post, path);
    request.body = Some(body);
    Action::Request(Box::new(request))
}

/// The parts of a body, as RFC 7578 and RFC 2046, 5.1 have them: head and content.
fn parts(body: &str, content_type: &str) -> Vec<(String, String)> {
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
    let (inside, end) = body.rsplit_once(&format!("\r\n--{boundary}--\r\n")).unwrap();
    assert_eq!(end, "");
    let inside = inside.strip_prefix(&format!("--{boundary}\r\n")).unwrap();
    let between = format!("\r\n--{boundary}\r\n");
    let parts = inside.split(&between);
    parts
        .map(|part| part.split_once("\r\n\r\n").map(|(head, text)| (head.to_owned(), text.to_owned())).unwrap())
        .collect()
}

#[test]
fn files_and_parts_are_sent_as_they_are() {
    let server = Scripted::start(|_| ok(""));
    let mut maker = Maker::new(&server.url());
    let whole = Body::File { file: file("mod.rs"), content_type: Some("text/x-rust".to_owned()) };
    let part = |name: &str, content: PartContent, kind: Option<&str>| Part {
        name: name.to_owned(),
        content,
        content_type: kind.map(str::to_owned),
    };
    let own = PartContent::File { file: file("mod.rs"), filename: "a \"file\".rs".to_owned() };
    let steps = vec![
        post(&mut maker, "/whole", whole),
        post(
            &mut maker,
            "/open",
            Body::Multipart(vec![
                part("who & what", PartContent::Text(text("visitor {{ 40 + 2 }}")), None),
                part("note", PartContent::Text(text("ü\r\n")), Some("text/plain; charset=utf-8")),
                part("photo", own.clone(), None),
            ]),
        ),
        post(&mut maker, "/fixed", Body::Multipart(vec![part("photo", own, Some("text/x-rust"))])),
    ];
    let told = run_with(maker.only(steps, 2.0, Span::SECOND), ONE, |_, _| {});
    assert_eq!(["/whole", "/open", "/fixed"].map(|step| told.counts(step).ok), [2; 3], "{:?}", told.failures);
    let rust = std::fs::read_to_string("src/load/tests/mod.rs").unwrap();
    let log = server.log();
    let of = |path: &str| log.iter().find(|seen| seen.path == path).unwrap();
    let seen = of("/whole");
    assert_eq!((seen.header("content-type"), seen.body.as_str()), (Some("text/x-rust"), rust.as_str()));
    let seen = of("/open");
    assert_eq!(seen.header("content-length"), Some(seen.body.len().to_string().as_str()));
    let found = parts(&seen.body, seen.header("content-type").unwrap());
    let part = |head: &str, text: &str| (head.to_owned(), text.to_owned());
    let name = "content-disposition: form-data; name=";
    assert_eq!(found[0], part(&format!("{name}\"who & what\""), "visitor 42"));
    assert_eq!(found[1], part(&format!("{name}\"note\"\r\ncontent-type: text/plain; charset=utf-8"), "ü\r\n"));
    let head = format!("{name}\"photo\"; filename=\"a %22file%22.rs\"\r\ncontent-type: application/octet-stream");
    assert_eq!(found[2..], [part(&head, &rust)]);
    let seen = of("/fixed");
    assert_eq!(parts(&seen.body, seen.header("content-type").unwrap())[0].1, rust);
}

#[test]
fn a_plan_is_not_run_with_another_file() {
    let server = Scripted::start(|_| ok(""));
    for (name, sha256, why) in [("mod.rs", "00", "is not the file"), ("none.bin", "00", "could not be read")] {
        let mut maker = Maker::new(&server.url());
        let body = FileBody { file: name.to_owned(), sha256: sha256.to_owned(), bytes: 1 };
        let step = post(&mut maker, "/", Body::File { file: body, content_type: None });
        let plan = maker.only(vec![step], 1.0, Span::SECOND);
        let error = Feeds::read(&plan, Path::new("src/load/tests"), Default::default()).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    assert!(server.log().is_empty());
}
