use std::collections::BTreeMap;

use super::{seconds, text};
use crate::base::units::{At, Rate, Share, Span, Text};
use crate::plan::*;

fn request(step: u32, method: Method, path: &str) -> Action {
    Action::Request(Box::new(Request {
        step: StepId(step),
        endpoint: EndpointId(0),
        method,
        path: Template(path.to_owned()),
        query: Vec::new(),
        headers: Vec::new(),
        body: None,
        timeout: Span::seconds(30),
        expect: Expect {
            status: Vec::new(),
            shed: Vec::new(),
            body: Vec::new(),
            contains: Vec::new(),
            headers: Vec::new(),
            within: None,
        },
        on_failure: OnFailure::End,
        captures: Vec::new(),
        retry: None,
        follow: None,
        decompress: None,
    }))
}

fn process(name: &str, title: Text) -> Process {
    Process {
        name: name.to_owned(),
        title,
        group: None,
        source: ProcessSource::Run {
            argv: vec![Template("peakdrill".to_owned()), Template("shop".to_owned()), Template(name.to_owned())],
            env: Vec::new(),
            dir: None,
        },
        ready: Some(Ready { get: "/healthz".to_owned(), within: Span::seconds(10) }),
        network: None,
        names: Vec::new(),
        grace: Span::seconds(5),
        skewable: false,
    }
}

fn condition(measure: Measure, scope: Scope, phase: Option<u32>, bound: Bound) -> Condition {
    Condition { measure, scope, phase: phase.map(PhaseId), over: None, timing: Timing::Response, bound }
}

fn target(name: &str, title: Text, condition: Condition) -> Target {
    Target { name: name.to_owned(), title, condition, severity: None }
}

pub(crate) fn plan() -> Plan {
    let phase =
        |name: &str, title, from, to| Phase { name: name.to_owned(), title, from: seconds(from), to: seconds(to) };
    let hold = |from: f64| StageKind::Hold { rate: Rate::per_second(120.0), span: Span::from_seconds_f64(from) };
    let stage = |kind, phase: Option<u32>| Stage { kind, phase: phase.map(PhaseId) };
    let steady =
        |measure, scope, bound| Condition { over: Some(Span::seconds(5)), ..condition(measure, scope, None, bound) };
    let span = |millis| Quantity::Span(Span::millis(millis));
    let rto = Measure::RecoveryTime { to: SteadyId(0) };
    Plan {
        version: VERSION,
        about: About {
            name: "presale-peak".to_owned(),
            title: text("A node lost at the pre-sale peak", "预售高峰期节点故障演练"),
            purpose: text(
                "Show that shoppers can order while one of two nodes is gone.",
                "验证双节点之一失效时用户仍可下单。",
            ),
            emergency_plan: Some("EP-NODE-01".to_owned()),
            owner: text("Platform team", "平台组"),
            environment: text("one machine, loopback", "单机，本地回环"),
            differs_from_production: text("two nodes instead of twelve", "双节点（生产为十二节点）"),
            ..About::default()
        },
        seed: 618,
        profile: Some("smoke".to_owned()),
        vars: BTreeMap::from([("peak".to_owned(), serde_json::json!("120/s"))]),
        platform: Platform {
            allow: vec![
                Allow::Network { address: [127, 0, 0, 0].into(), prefix: 8 },
                Allow::Name { host: "shop.test".to_owned(), port: Some(8443) },
            ],
            mark: None,
            networks: Vec::new(),
            processes: vec![
                process("store", text("store", "库存与订单")),
                process("node_1", Text::default()),
                process("node_2", Text::default()),
                process("gateway", text("gateway", "网关")),
            ],
            endpoints: vec![Endpoint {
                name: "shop".to_owned(),
                title: Text::default(),
                url: Template("http://{{ process.gateway.address }}".to_owned()),
                headers: Vec::new(),
                tls: Tls::default(),
                connections: Connections { max: 600, queue: 600, ..Connections::default() },
                decompress: false,
                traceparent: None,
            }],
            containers: Vec::new(),
            hosts: Vec::new(),
            links: Vec::new(),
            toxiproxy: None,
            watches: vec![Watch {
                name: "health".to_owned(),
                title: text("node health", "节点健康检查"),
                kind: WatchKind::Probe { endpoint: EndpointId(0), get: "/nodes".to_owned(), every: Span::millis(500) },
            }],
        },
        prepare: vec![Chore {
            work: ChoreWork::Run { argv: vec![Template("peakdrill".to_owned())], env: Vec::new(), dir: None },
            within: Span::seconds(30),
        }],
        cleanup: Vec::new(),
        feeds: Vec::new(),
        figures: vec![NamedFigure { name: "queue-position".to_owned() }],
        steps: [
            ("list products", "商品列表"),
            ("view product", "商品详情"),
            ("place order", "提交订单"),
            ("confirm payment", "确认支付"),
            ("checkout", "结算"),
        ]
        .into_iter()
        .map(|(name, zh)| Step {
            name: name.to_owned(),
            title: Text { en: None, zh: Some(zh.to_owned()) }.named(name),
            group: name == "checkout",
            within: None,
            bounds: Vec::new(),
        })
        .collect(),
        journeys: vec![
            Journey {
                name: "browse".to_owned(),
                title: text("browse", "浏览"),
                cookies: true,
                actions: vec![
                    request(0, Method::Get, "/products?page={{ int(1, 50) }}"),
                    Action::Think(Think::Fixed(Span::seconds(1))),
                    Action::Repeat(Repeat {
                        turns: Turns::Times(2),
                        actions: vec![request(1, Method::Get, "/products/{{ feed.sku.id }}")],
                    }),
                ],
            },
            Journey {
                name: "buy".to_owned(),
                title: text("buy", "购买"),
                cookies: true,
                actions: vec![
                    request(2, Method::Post, "/orders"),
                    request(3, Method::Post, "/orders/{{ order }}/payment"),
                ],
            },
        ],
        loads: vec![Load {
            name: "shoppers".to_owned(),
            title: text("shoppers", "购物者"),
            mix: vec![(JourneyId(0), 80.0), (JourneyId(1), 20.0)],
            spacing: Spacing::Poisson,
            start: At::START,
            stages: vec![
                stage(
                    StageKind::Ramp { from: Rate::ZERO, to: Rate::per_second(120.0), span: Span::seconds(5) },
                    Some(0),
                ),
                stage(hold(8.0), Some(1)),
                stage(hold(10.0), Some(2)),
                stage(hold(15.0), Some(3)),
            ],
            replay: None,
            search: None,
            users: None,
        }],
        series: [(0, 0), (0, 1), (1, 2), (1, 3)]
            .map(|(journey, step)| Series { load: LoadId(0), journey: JourneyId(journey), step: StepId(step) })
            .to_vec(),
        phases: vec![
            phase("ramp", text("ramp", "爬坡"), 0.0, 5.0),
            phase("before", text("before", "故障前"), 5.0, 13.0),
            phase("outage", text("outage", "故障中"), 13.0, 23.0),
            phase("after", text("after", "恢复后"), 23.0, 38.0),
        ],
        faults: vec![Fault {
            name: "lose-node".to_owned(),
            title: text("node lost at the peak", "高峰期节点丢失"),
            kind: FaultKind::Kill { processes: vec![ProcessId(1)] },
            at: Instant::At(seconds(14.0)),
            of: None,
            end: crate::plan::End::For(Span::seconds(3)),
            spared: false,
        }],
        actions: Vec::new(),
        steady_states: vec![SteadyState {
            name: "ordering".to_owned(),
            title: text("ordering works", "下单正常"),
            hold: Span::seconds(5),
            must: vec![
                steady(Measure::Availability, Scope::All, Bound::AtLeast(Quantity::Share(Share(0.99)))),
                steady(Measure::Percentile(0.9), Scope::Step(StepId(2)), Bound::AtMost(span(800))),
            ],
        }],
        aborts: vec![Abort {
            name: "collapse".to_owned(),
            title: Text::default(),
            condition: Condition {
                over: Some(Span::seconds(30)),
                ..condition(Measure::Availability, Scope::All, None, Bound::Below(Quantity::Share(Share(0.05))))
            },
        }],
        targets: vec![
            target(
                "order-latency",
                text("orders are fast", "下单响应"),
                condition(Measure::Percentile(0.99), Scope::Step(StepId(2)), Some(1), Bound::AtMost(span(500))),
            ),
            target(
                "fault-rate",
                text("fault rate", "系统故障率"),
                condition(
                    Measure::FaultRate { basis: Basis::Outages, per_month: 1.0 },
                    Scope::All,
                    None,
                    Bound::AtMost(Quantity::Share(Share(0.001))),
                ),
            ),
            target(
                "rto",
                text("recovery", "恢复时间"),
                condition(rto, Scope::Fault(FaultId(0)), None, Bound::AtMost(span(5_000))),
            ),
            target(
                "satisfaction",
                text("satisfaction", "客户满意度"),
                condition(
                    Measure::Apdex { satisfied: Span::millis(500) },
                    Scope::All,
                    None,
                    Bound::AtLeast(Quantity::Number(0.9)),
                ),
            ),
            target(
                "payment-tail",
                text("payment's tail", "支付长尾"),
                condition(Measure::Percentile(0.999), Scope::Step(StepId(3)), Some(2), Bound::AtMost(span(2_000))),
            ),
            target(
                "budget",
                text("error budget", "错误预算"),
                condition(
                    Measure::BudgetLeft { objective: Share(0.99) },
                    Scope::All,
                    None,
                    Bound::AtLeast(Quantity::Share(Share(0.2))),
                ),
            ),
            target(
                "node-cpu",
                text("CPU of node_2", "node_2 的 CPU"),
                condition(Measure::Cpu, Scope::Process(ProcessId(2)), None, Bound::AtMost(Quantity::Share(Share(1.5)))),
            ),
        ],
        limits: Limits {
            patience: Span::seconds(5),
            shed: Some(Share(0.6)),
            down_below: Share(0.5),
            drain: Span::seconds(30),
            lag: Span::millis(10),
        },
        end: Span::seconds(38),
        rehearsal: None,
        unjudged: Vec::new(),
        production: None,
    }
}

impl Text {
    fn named(mut self, en: &str) -> Text {
        self.en = Some(en.to_owned());
        self
    }
}
