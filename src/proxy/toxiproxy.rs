//! Toxiproxy's HTTP API (2.x) over our links: its paths, its JSON and its errors, so that its clients work as they are. What its
//! toxics do, flaws do here. Where Toxiproxy's behaviour is a known defect, ours is what its documentation says: a toxicity of 0 bites
//! nobody, and `timeout: 0` loses nothing.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc::UnboundedSender;

use super::hub::Hub;
use super::link::{Link, To};
use crate::base::units::{Flow, Share, Size, Span};
use crate::plan::{Direction, Flaw, FlawKind, Only, Protocol, Spread};

/// What an answer says: a status, and JSON where there is some.
pub(super) type Answer = (u16, Option<Value>);

/// Proxies by name, as clients of Toxiproxy see them.
pub(super) struct Toxiproxy {
    hub: Rc<Hub>,
    seed: u64,
    next: Cell<u64>,
    proxies: RefCell<BTreeMap<String, Rc<Proxy>>>,
    /// Over the links of a drill, which stay as they are: who hears of what is done to them.
    tell: Option<UnboundedSender<String>>,
}

/// The flaws that a drill sets by itself have numbers far below.
const OF_OTHERS: u64 = 1 << 63;
/// So much of a request is told.
const TOLD: usize = 500;

struct Proxy {
    name: String,
    link: Rc<Link>,
    upstream: RefCell<String>,
    /// While it is disabled: the flaw that refuses everybody.
    disabled: Cell<Option<u64>>,
    toxics: RefCell<Vec<Toxic>>,
}

#[derive(Debug, Clone)]
struct Toxic {
    name: String,
    kind: String,
    stream: Direction,
    toxicity: f64,
    attributes: Map<String, Value>,
    id: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ProxyBody {
    name: String,
    listen: Option<String>,
    upstream: Option<String>,
    enabled: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ToxicBody {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    stream: String,
    toxicity: Option<f64>,
    attributes: Map<String, Value>,
}

/// Why it was not done.
struct Refused(u16, String);

impl Refused {
    fn new(status: u16, error: impl Into<String>) -> Refused {
        Refused(status, error.into())
    }
}

type Done = Result<Answer, Refused>;

impl Toxiproxy {
    pub(super) fn new(hub: Hub, seed: u64) -> Toxiproxy {
        Toxiproxy { hub: Rc::new(hub), seed, next: Cell::new(0), proxies: RefCell::default(), tell: None }
    }

    /// Over links that are there already, by their names.
    pub(super) fn over(
        hub: Rc<Hub>,
        seed: u64,
        links: impl Iterator<Item = (String, Rc<Link>)>,
        tell: UnboundedSender<String>,
    ) -> Toxiproxy {
        let proxies = links.map(|(name, link)| {
            let upstream = RefCell::new(link.leads_to());
            let (disabled, toxics) = (Cell::new(None), RefCell::default());
            (name.clone(), Rc::new(Proxy { name, link, upstream, disabled, toxics }))
        });
        let (next, proxies) = (Cell::new(OF_OTHERS), RefCell::new(proxies.collect()));
        Toxiproxy { hub, seed, next, proxies, tell: Some(tell) }
    }

    /// Links of a drill are where its scenario says.
    fn may_move(&self) -> Result<(), Refused> {
        match self.tell {
            Some(_) => Err(Refused::new(403, "the proxies are the links of a drill: only their toxics can be changed")),
            None => Ok(()),
        }
    }

    fn note(&self, method: &str, path: &str, body: &[u8]) {
        if let Some(tell) = self.tell.as_ref().filter(|_| method != "GET") {
            let body: String = String::from_utf8_lossy(body).split_whitespace().collect::<Vec<_>>().join(" ");
            let body: String = body.chars().filter(|letter| !letter.is_control()).take(TOLD).collect();
            // When nobody listens any more, the drill is over.
            let _ = tell.send(format!("by Toxiproxy's API: {method} {path} {body}").trim_end().to_owned());
        }
    }

    /// What a request comes to.
    pub(super) async fn ask(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        // Newer clients change things by PATCH, older ones by POST.
        let changes = matches!(method, "POST" | "PATCH");
        let done = match (method, parts.as_slice()) {
            ("GET", ["version"]) => Ok((200, Some(json!({ "version": env!("CARGO_PKG_VERSION") })))),
            ("GET", ["proxies"]) => Ok((200, Some(self.all()))),
            ("POST", ["proxies"]) => self.create(body).await,
            ("POST", ["populate"]) => self.populate(body).await,
            ("POST", ["reset"]) => self.reset().await,
            ("GET", ["proxies", name]) => self.of(name).map(|proxy| (200, Some(shown(&proxy)))),
            (_, ["proxies", name]) if changes => self.change(name, body).await,
            ("DELETE", ["proxies", name]) => self.delete(name).await,
            ("GET", ["proxies", name, "toxics"]) => self.of(name).map(|proxy| (200, Some(toxics(&proxy)))),
            ("POST", ["proxies", name, "toxics"]) => self.add(name, body).await,
            ("GET", ["proxies", name, "toxics", toxic]) => {
                self.toxic(name, toxic).map(|toxic| (200, Some(told(&toxic))))
            }
            (_, ["proxies", name, "toxics", toxic]) if changes => self.alter(name, toxic, body).await,
            ("DELETE", ["proxies", name, "toxics", toxic]) => self.remove(name, toxic).await,
            (_, ["version" | "proxies" | "populate" | "reset", ..]) => Err(Refused::new(405, "method not allowed")),
            _ => Err(Refused::new(404, "not found")),
        };
        if done.is_ok() {
            self.note(method, path, body);
        }
        done.unwrap_or_else(|Refused(status, error)| (status, Some(json!({ "error": error, "status": status }))))
    }

    fn all(&self) -> Value {
        Value::Object(self.proxies.borrow().iter().map(|(name, proxy)| (name.clone(), shown(proxy))).collect())
    }

    fn of(&self, name: &str) -> Result<Rc<Proxy>, Refused> {
        self.proxies.borrow().get(name).cloned().ok_or_else(|| Refused::new(404, "proxy not found"))
    }

    fn id(&self) -> u64 {
        self.next.set(self.next.get() + 1);
        self.next.get()
    }

    async fn create(&self, body: &[u8]) -> Done {
        let wanted: ProxyBody = read(body)?;
        let missing = |field: &str| Refused::new(400, format!("missing required field: {field}"));
        if wanted.name.is_empty() {
            return Err(missing("name"));
        }
        if wanted.upstream.as_ref().is_none_or(String::is_empty) {
            return Err(missing("upstream"));
        }
        if self.proxies.borrow().contains_key(&wanted.name) {
            return Err(Refused::new(409, "proxy already exists"));
        }
        self.may_move()?;
        let proxy = self.open(wanted).await?;
        Ok((201, Some(shown(&proxy))))
    }

    async fn open(&self, wanted: ProxyBody) -> Result<Rc<Proxy>, Refused> {
        let upstream = wanted.upstream.unwrap_or_default();
        let at = listen(wanted.listen.as_deref().unwrap_or_default()).await?;
        let link = self.hub.link(at, To::Named(upstream.clone()), Protocol::Tcp);
        let link = link.map_err(|error| Refused::new(500, format!("listen tcp {at}: {error}")))?;
        let proxy = Rc::new(Proxy {
            name: wanted.name.clone(),
            link,
            upstream: RefCell::new(upstream),
            disabled: Cell::new(None),
            toxics: RefCell::default(),
        });
        self.proxies.borrow_mut().insert(wanted.name, proxy.clone());
        self.enable(&proxy, wanted.enabled.unwrap_or(true)).await?;
        Ok(proxy)
    }

    async fn enable(&self, proxy: &Proxy, enabled: bool) -> Result<(), Refused> {
        let refuse =
            || Flaw { kind: FlawKind::Refuse, direction: Direction::Both, share: Share(1.0), only: Only::default() };
        let done = match (proxy.disabled.get(), enabled) {
            (Some(id), true) => {
                proxy.disabled.set(None);
                self.hub.exchange(&proxy.link, &[id], Vec::new(), self.seed).await
            }
            (None, false) => {
                let id = self.id();
                proxy.disabled.set(Some(id));
                self.hub.exchange(&proxy.link, &[], vec![(id, refuse())], self.seed).await
            }
            _ => Ok(()),
        };
        done.map_err(|error| Refused::new(500, format!("listen tcp {}: {error}", proxy.link.at())))
    }

    async fn populate(&self, body: &[u8]) -> Done {
        let wanted: Vec<ProxyBody> = read(body)?;
        for (index, one) in wanted.iter().enumerate() {
            let missing =
                |field: &str| Refused::new(400, format!("missing required field: {field} at proxy {}", index + 1));
            if one.name.is_empty() {
                return Err(missing("name"));
            }
            if one.upstream.as_ref().is_none_or(String::is_empty) {
                return Err(missing("upstream"));
            }
        }
        let mut made = Vec::new();
        for one in wanted {
            let known = self.proxies.borrow().get(&one.name).cloned();
            let same = match &known {
                Some(proxy) => {
                    Some(proxy.upstream.borrow().as_str()) == one.upstream.as_deref()
                        && listen(one.listen.as_deref().unwrap_or_default()).await? == proxy.link.at()
                }
                None => false,
            };
            let proxy = match known.filter(|_| same) {
                Some(proxy) => {
                    self.enable(&proxy, one.enabled.unwrap_or(true)).await?;
                    proxy
                }
                None => {
                    self.may_move()?;
                    if self.of(&one.name).is_ok() {
                        self.delete(&one.name).await?;
                    }
                    self.open(one).await?
                }
            };
            made.push(shown(&proxy));
        }
        Ok((201, Some(json!({ "proxies": made }))))
    }

    async fn change(&self, name: &str, body: &[u8]) -> Done {
        let (proxy, wanted) = (self.of(name)?, read::<ProxyBody>(body)?);
        let at = match wanted.listen.as_deref().filter(|at| !at.is_empty()) {
            Some(at) => Some(listen(at).await?).filter(|at| *at != proxy.link.at()),
            None => None,
        };
        let upstream = wanted.upstream.filter(|to| !to.is_empty() && *to != *proxy.upstream.borrow());
        let enabled = wanted.enabled.unwrap_or(proxy.disabled.get().is_none());
        if at.is_some() || upstream.is_some() {
            self.may_move()?;
            self.enable(&proxy, false).await?;
            if let Some(upstream) = upstream {
                proxy.upstream.replace(upstream);
            }
            proxy.link.change(at, To::Named(proxy.upstream.borrow().clone()));
        }
        self.enable(&proxy, enabled).await?;
        Ok((200, Some(shown(&proxy))))
    }

    async fn delete(&self, name: &str) -> Done {
        let proxy = self.of(name)?;
        self.may_move()?;
        self.enable(&proxy, false).await?;
        self.proxies.borrow_mut().remove(name);
        Ok((204, None))
    }

    async fn reset(&self) -> Done {
        let proxies: Vec<Rc<Proxy>> = self.proxies.borrow().values().cloned().collect();
        for proxy in proxies {
            let ids: Vec<u64> = proxy.toxics.borrow_mut().drain(..).map(|toxic| toxic.id).collect();
            let gone = self.hub.exchange(&proxy.link, &ids, Vec::new(), self.seed).await;
            gone.map_err(|error| Refused::new(500, error.to_string()))?;
            self.enable(&proxy, true).await?;
        }
        Ok((204, None))
    }

    fn toxic(&self, name: &str, toxic: &str) -> Result<Toxic, Refused> {
        let proxy = self.of(name)?;
        let found = proxy.toxics.borrow().iter().find(|known| known.name == toxic).cloned();
        found.ok_or_else(|| Refused::new(404, "toxic not found"))
    }

    async fn add(&self, name: &str, body: &[u8]) -> Done {
        let (proxy, wanted) = (self.of(name)?, read::<ToxicBody>(body)?);
        let stream = match wanted.stream.to_ascii_lowercase().as_str() {
            "" | "downstream" => Direction::Down,
            "upstream" => Direction::Up,
            _ => return Err(Refused::new(400, "stream was invalid, can be either upstream or downstream")),
        };
        let name = if wanted.name.is_empty() { format!("{}_{}", wanted.kind, word(stream)) } else { wanted.name };
        if proxy.toxics.borrow().iter().any(|known| known.name == name) {
            return Err(Refused::new(409, "toxic already exists"));
        }
        let toxicity = wanted.toxicity.unwrap_or(1.0);
        let toxic = Toxic { name, kind: wanted.kind, stream, toxicity, attributes: wanted.attributes, id: self.id() };
        let flaw = flaw(&toxic)?;
        let toxic = Toxic { attributes: whole(&toxic), ..toxic };
        self.put(&proxy, &[], vec![(toxic.id, flaw)]).await?;
        proxy.toxics.borrow_mut().push(toxic.clone());
        Ok((200, Some(told(&toxic))))
    }

    async fn alter(&self, name: &str, toxic: &str, body: &[u8]) -> Done {
        let (proxy, wanted) = (self.of(name)?, read::<ToxicBody>(body)?);
        let mut changed = self.toxic(name, toxic)?;
        let before = changed.id;
        changed.id = self.id();
        changed.toxicity = wanted.toxicity.unwrap_or(changed.toxicity);
        changed.attributes.extend(wanted.attributes);
        self.put(&proxy, &[before], vec![(changed.id, flaw(&changed)?)]).await?;
        if let Some(known) = proxy.toxics.borrow_mut().iter_mut().find(|known| known.id == before) {
            *known = changed.clone();
        }
        Ok((200, Some(told(&changed))))
    }

    async fn remove(&self, name: &str, toxic: &str) -> Done {
        let (proxy, gone) = (self.of(name)?, self.toxic(name, toxic)?);
        self.put(&proxy, &[gone.id], Vec::new()).await?;
        proxy.toxics.borrow_mut().retain(|known| known.id != gone.id);
        Ok((204, None))
    }

    async fn put(&self, proxy: &Proxy, ends: &[u64], begins: Vec<(u64, Flaw)>) -> Result<(), Refused> {
        let done = self.hub.exchange(&proxy.link, ends, begins, self.seed).await;
        done.map_err(|error| Refused::new(500, error.to_string()))
    }
}

fn read<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| Refused::new(400, format!("bad request body: {error}")))
}

/// As Go reads it: without a host it is every address, without a port the system chooses.
async fn listen(text: &str) -> Result<SocketAddr, Refused> {
    let text = match text {
        "" => "127.0.0.1:0".to_owned(),
        text if text.starts_with(':') => format!("0.0.0.0{text}"),
        text => text.to_owned(),
    };
    let found = tokio::net::lookup_host(&text).await.ok().and_then(|mut found| found.next());
    found.ok_or_else(|| Refused::new(500, format!("listen tcp {text}: no such address")))
}

fn word(stream: Direction) -> &'static str {
    if stream == Direction::Up { "upstream" } else { "downstream" }
}

/// What each toxic can be told, and what it is when it is not.
const ATTRIBUTES: [(&str, &[&str]); 7] = [
    ("latency", &["latency", "jitter"]),
    ("bandwidth", &["rate"]),
    ("slow_close", &["delay"]),
    ("timeout", &["timeout"]),
    ("reset_peer", &["timeout"]),
    ("slicer", &["average_size", "size_variation", "delay"]),
    ("limit_data", &["bytes"]),
];

/// Its attributes with those that were not given, which are 0.
fn whole(toxic: &Toxic) -> Map<String, Value> {
    let known = ATTRIBUTES.iter().find(|(kind, _)| *kind == toxic.kind).map_or(&[][..], |(_, known)| known);
    let of = |name: &&str| ((*name).to_owned(), toxic.attributes.get(*name).cloned().unwrap_or_else(|| json!(0)));
    known.iter().map(of).collect()
}

fn flaw(toxic: &Toxic) -> Result<Flaw, Refused> {
    let number = |name: &str| match toxic.attributes.get(name) {
        None => Ok(0),
        Some(value) => value
            .as_u64()
            .or_else(|| value.as_f64().filter(|number| *number >= 0.0).map(|number| number as u64))
            .ok_or_else(|| Refused::new(400, format!("bad request body: {name} is no number that is not below 0"))),
    };
    let kind = match toxic.kind.as_str() {
        "latency" => FlawKind::Delay {
            latency: Span::millis(number("latency")?),
            jitter: Span::millis(number("jitter")?),
            spread: Spread::Uniform,
        },
        // Of 1000 bytes. None is no limit.
        "bandwidth" => match number("rate")? {
            0 => FlawKind::Throttle { rate: Flow(u64::MAX) },
            rate => FlawKind::Throttle { rate: Flow(rate.saturating_mul(1_000)) },
        },
        "slow_close" => FlawKind::SlowClose { delay: Span::millis(number("delay")?) },
        "timeout" => FlawKind::Hang { close: Some(number("timeout")?).filter(|close| *close > 0).map(Span::millis) },
        "reset_peer" => FlawKind::Reset { after: Span::millis(number("timeout")?) },
        "slicer" => FlawKind::Slice {
            size: Size(number("average_size")?.max(1)),
            vary: Size(number("size_variation")?),
            pause: Span::micros(number("delay")?),
        },
        "limit_data" => FlawKind::CloseAfter { bytes: Size(number("bytes")?) },
        _ => return Err(Refused::new(400, "invalid toxic type")),
    };
    let share = Share(toxic.toxicity.clamp(0.0, 1.0));
    Ok(Flaw { kind, direction: toxic.stream, share, only: Only::default() })
}

fn told(toxic: &Toxic) -> Value {
    json!({
        "name": toxic.name,
        "type": toxic.kind,
        "stream": word(toxic.stream),
        "toxicity": toxic.toxicity,
        "attributes": toxic.attributes,
    })
}

fn toxics(proxy: &Proxy) -> Value {
    Value::Array(proxy.toxics.borrow().iter().map(told).collect())
}

fn shown(proxy: &Proxy) -> Value {
    json!({
        "name": proxy.name,
        "listen": proxy.link.at().to_string(),
        "upstream": *proxy.upstream.borrow(),
        "enabled": proxy.disabled.get().is_none(),
        "toxics": toxics(proxy),
    })
}
