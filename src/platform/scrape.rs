use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use super::bindings::header;
use super::{Bindings, Happening, PlatformError, Setting, exposition};
use crate::base::clock::Clock;
use crate::base::units::{At, Span};
use crate::plan::{WatchId, WatchKind};
use crate::record::Reading;
use crate::wire::Origin;

/// A page that is not there within this is not read.
const PATIENCE: Span = Span::SECOND;
/// The longest page that is read.
const LONGEST: usize = 4 << 20;

/// One page of figures.
pub(super) struct Page {
    watch: WatchId,
    origin: Origin,
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    keep: Vec<String>,
}

/// The pages that the plan watches.
pub(super) fn pages(setting: &Setting, bindings: &Bindings) -> Result<Vec<Arc<Page>>, PlatformError> {
    let platform = &setting.plan.platform;
    let mut pages = Vec::new();
    for (index, watch) in platform.watches.iter().enumerate() {
        let WatchKind::Page { url, path, keep } = &watch.kind else { continue };
        let url = bindings.settle(&format!("the URL of watch `{}`", watch.name), &url.0, &[])?;
        let mut headers = Vec::new();
        if let Some(mark) = &platform.mark {
            headers.push(header(bindings, &format!("watch `{}`", watch.name), &mark.header, &mark.value)?);
        }
        let origin = setting.door.origin(&url, &Default::default())?;
        let watch = WatchId::at(index);
        pages.push(Arc::new(Page { watch, origin, path: path.clone(), headers, keep: keep.clone() }));
    }
    Ok(pages)
}

/// Reads the page each second, on the second; what was missed while an answer took long is not caught up with.
pub(super) async fn run(page: Arc<Page>, setting: Arc<Setting>, clock: Clock) {
    let mut second = clock.now().second();
    loop {
        clock.sleep_until(At(Span::seconds(second).0)).await;
        read(page.clone(), setting.clone(), clock.clone()).await;
        second = clock.now().second().max(second) + 1;
    }
}

/// Reads the page once, and tells what came of it.
pub(super) async fn read(page: Arc<Page>, setting: Arc<Setting>, clock: Clock) {
    let at = clock.now();
    let read = ask(&page, &setting).await;
    let _ = setting.happenings.send(Happening::Scraped { at, watch: page.watch, read });
}

async fn ask(page: &Page, setting: &Setting) -> Result<Vec<Option<Reading>>, String> {
    let asked = setting.door.fetch(&page.origin, &page.path, &page.headers, LONGEST + 1, PATIENCE).await;
    let answer = asked.map_err(|error| error.to_string())?;
    if !answer.is_good() {
        return Err(format!("status {}", answer.status));
    }
    if answer.body.len() > LONGEST {
        return Err(format!("the page is longer than {} MiB", LONGEST >> 20));
    }
    let text = std::str::from_utf8(&answer.body).map_err(|_| "the page is no UTF-8".to_owned())?;
    Ok(exposition::read(text, &page.keep))
}
