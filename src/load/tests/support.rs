use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::base::clock::Clock;
use crate::base::units::{At, Rate, Share, Span};
use crate::load::{Crews, Feeds, News, Options, Setting};
use crate::plan::{
    About, Action, Allow, Body, Connections, Endpoint, EndpointId, Expect, Group, Journey, JourneyId, LegId, Limits,
    Load, LoadId, Method, OnFailure, Plan, Platform, Request, Series, SeriesId, Spacing, Stage, StageKind, Step,
    StepId, Template, Tls,
};
use crate::record::{Book, Cell, Counts, Failure, VisitCell, Window};
use crate::wire::Door;

pub(crate) fn text(text: &str) -> Template {
    Template(text.to_owned())
}

pub(crate) fn expect() -> Expect {
    Expect {
        status: Vec::new(),
        shed: Vec::new(),
        body: Vec::new(),
        contains: Vec::new(),
        headers: Vec::new(),
        within: None,
    }
}

/// A plan with one endpoint, made by hand.
pub(crate) struct Maker {
    pub plan: Plan,
}

impl Maker {
    pub(crate) fn new(url: &str) -> Maker {
        let endpoint = Endpoint {
            name: "shop".to_owned(),
            title: Default::default(),
            url: text(url),
            headers: Vec::new(),
            tls: Tls::default(),
            connections: Connections { max: 2_000, queue: 2_000, ..Connections::default() },
            decompress: false,
            traceparent: None,
        };
        let plan = Plan {
            version: crate::plan::VERSION,
            about: About::default(),
            seed: 618,
            profile: None,
            vars: BTreeMap::new(),
            platform: Platform {
                allow: vec![Allow::Network { address: [127, 0, 0, 0].into(), prefix: 8 }],
                endpoints: vec![endpoint],
                ..Platform::default()
            },
            prepare: Vec::new(),
            cleanup: Vec::new(),
            feeds: Vec::new(),
            figures: Vec::new(),
            steps: Vec::new(),
            journeys: Vec::new(),
            loads: Vec::new(),
            series: Vec::new(),
            phases: Vec::new(),
            faults: Vec::new(),
            actions: Vec::new(),
            steady_states: Vec::new(),
            aborts: Vec::new(),
            targets: Vec::new(),
            limits: Limits {
                patience: Span::seconds(5),
                shed: None,
                down_below: Share(0.5),
                drain: Span::seconds(5),
                lag: Span::millis(10),
            },
            end: Span::ZERO,
            rehearsal: None,
            unjudged: Vec::new(),
            production: None,
        };
        Maker { plan }
    }

    pub(crate) fn connections(&mut self) -> &mut Connections {
        &mut self.plan.platform.endpoints[0].connections
    }

    /// A step named as its path.
    pub(crate) fn request(&mut self, method: Method, path: &str) -> Request {
        let known = self.plan.steps.iter().position(|step| step.name == path);
        let index = known.unwrap_or_else(|| {
            let name = path.to_owned();
            self.plan.steps.push(Step {
                name,
                title: Default::default(),
                group: false,
                within: None,
                bounds: Vec::new(),
            });
            self.plan.steps.len() - 1
        });
        Request {
            step: StepId::at(index),
            endpoint: EndpointId(0),
            method,
            path: text(path),
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            timeout: Span::seconds(10),
            expect: expect(),
            on_failure: OnFailure::End,
            captures: Vec::new(),
            retry: None,
            follow: None,
            decompress: None,
        }
    }

    pub(crate) fn get(&mut self, path: &str) -> Action {
        Action::Request(Box::new(self.request(Method::Get, path)))
    }

    pub(crate) fn get_with(&mut self, path: &str, change: impl FnOnce(&mut Request)) -> Action {
        let mut request = self.request(Method::Get, path);
        change(&mut request);
        Action::Request(Box::new(request))
    }

    /// Steps with figures of their own as one.
    pub(crate) fn group(&mut self, name: &str, actions: Vec<Action>) -> Action {
        let known = self.plan.steps.iter().position(|step| step.name == name);
        let index = known.unwrap_or_else(|| {
            let name = name.to_owned();
            self.plan.steps.push(Step {
                name,
                title: Default::default(),
                group: true,
                within: None,
                bounds: Vec::new(),
            });
            self.plan.steps.len() - 1
        });
        Action::Group(Group { step: StepId::at(index), actions })
    }

    pub(crate) fn post(&mut self, path: &str, document: Value, change: impl FnOnce(&mut Request)) -> Action {
        let mut request = self.request(Method::Post, path);
        request.body = Some(Body::Json(document));
        change(&mut request);
        Action::Request(Box::new(request))
    }

    pub(crate) fn journey(&mut self, name: &str, actions: Vec<Action>) -> JourneyId {
        self.plan.journeys.push(Journey { name: name.to_owned(), title: Default::default(), cookies: true, actions });
        JourneyId::at(self.plan.journeys.len() - 1)
    }

    pub(crate) fn load(&mut self, mix: &[(JourneyId, f64)], spacing: Spacing, rate: f64, span: Span) {
        let load = LoadId::at(self.plan.loads.len());
        let kind = StageKind::Hold { rate: Rate::per_second(rate), span };
        self.plan.loads.push(Load {
            name: format!("load {load}"),
            title: Default::default(),
            mix: mix.to_vec(),
            spacing,
            start: At::START,
            stages: vec![Stage { kind, phase: None }],
            replay: None,
            search: None,
            users: None,
        });
        for (journey, _) in mix {
            let mut steps = Vec::new();
            visit_steps(&self.plan.journeys[journey.index()].actions, &mut steps);
            for step in steps {
                self.plan.series.push(Series { load, journey: *journey, step });
            }
        }
        self.plan.end = self.plan.end.max(span);
    }

    /// One journey of `actions`, evenly at `rate` for `span`.
    pub(crate) fn only(mut self, actions: Vec<Action>, rate: f64, span: Span) -> Plan {
        let journey = self.journey("only", actions);
        self.load(&[(journey, 1.0)], Spacing::Even, rate, span);
        self.plan
    }
}

fn visit_steps(actions: &[Action], steps: &mut Vec<StepId>) {
    for action in actions {
        let mut note = |step: StepId| {
            if !steps.contains(&step) {
                steps.push(step);
            }
        };
        match action {
            Action::Request(request) => note(request.step),
            Action::Poll(poll) => note(poll.request.step),
            Action::Let(_) | Action::Think(_) | Action::Rendezvous(_) => {}
            Action::Repeat(repeat) => visit_steps(&repeat.actions, steps),
            Action::Group(group) => {
                note(group.step);
                visit_steps(&group.actions, steps);
            }
            Action::Choose(branches) => branches.iter().for_each(|branch| visit_steps(&branch.actions, steps)),
            Action::If { then, otherwise, .. } => {
                visit_steps(then, steps);
                visit_steps(otherwise, steps);
            }
        }
    }
}

pub(crate) fn setting(plan: Plan) -> Setting {
    let constants = json!({
        "vars": plan.vars,
        "secret": { "token": "hunter2" },
        "run": { "id": "r1" },
    });
    let door = Door::new(&Clock::start(), &plan.platform.allow, Path::new("src/wire/testdata"));
    let Value::Object(constants) = constants else { unreachable!() };
    let feeds = Feeds::read(&plan, Path::new("src/load/tests"), Default::default()).unwrap();
    Setting {
        plan: Arc::new(plan),
        run: "r1".to_owned(),
        constants: Arc::new(constants),
        feeds,
        door,
        program: PathBuf::new(),
        files: PathBuf::new(),
    }
}

/// All that crews told, merged.
pub(crate) struct Told {
    pub plan: Arc<Plan>,
    pub windows: Vec<Window>,
    pub cells: BTreeMap<(SeriesId, Book), Cell>,
    pub visits: Vec<VisitCell>,
    pub failures: Vec<Failure>,
    pub abandoned: u64,
}

impl Told {
    /// The step's requests in a book.
    pub(crate) fn cell(&self, step: &str, book: Book) -> Cell {
        let id = self.plan.steps.iter().position(|known| known.name == step).map(StepId::at).unwrap();
        let of = |series: SeriesId| self.plan.series[series.index()].step == id;
        let mut cells = self.cells.iter().filter(|((series, known), _)| of(*series) && *known == book);
        let mut merged = cells.next().map(|(_, cell)| cell.clone()).unwrap_or_else(|| empty(SeriesId(0), book));
        cells.for_each(|(_, cell)| add(&mut merged, cell));
        merged
    }

    /// The first series of the step's.
    pub(crate) fn series(&self, step: &str) -> SeriesId {
        let id = self.plan.steps.iter().position(|known| known.name == step).map(StepId::at).unwrap();
        self.plan.series.iter().position(|series| series.step == id).map(SeriesId::at).unwrap()
    }

    /// By planned, outside all phases.
    pub(crate) fn planned(&self, step: &str) -> Cell {
        self.cell(step, Book::Leg(LegId(0)))
    }

    pub(crate) fn settled(&self, step: &str) -> Cell {
        self.cell(step, Book::Seconds)
    }

    pub(crate) fn counts(&self, step: &str) -> Counts {
        self.planned(step).counts
    }
}

fn empty(series: SeriesId, book: Book) -> Cell {
    Cell {
        series,
        book,
        counts: Counts::default(),
        waiting: 0,
        oldest_waiting: None,
        against: Default::default(),
        shedding: Default::default(),
        slower: Vec::new(),
        response: Default::default(),
        service: Default::default(),
        unlagged: Default::default(),
    }
}

fn add(into: &mut Cell, from: &Cell) {
    into.counts.add(&from.counts);
    into.against.merge(&from.against);
    into.response.add(&from.response);
    into.service.add(&from.service);
    into.unlagged.add(&from.unlagged);
}

pub(crate) fn run(plan: Plan) -> Told {
    run_with(plan, Options { workers: Some(2), spin: None }, |_, _| {})
}

/// `watch` sees each window, and may stop the load.
pub(crate) fn run_with(plan: Plan, options: Options, mut watch: impl FnMut(&Crews, &Window)) -> Told {
    let setting = setting(plan);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut crews = Crews::start(&setting, options).await.unwrap();
        crews.begin(setting.door.clock().now());
        let mut told = Told {
            plan: setting.plan.clone(),
            windows: Vec::new(),
            cells: BTreeMap::new(),
            visits: Vec::new(),
            failures: Vec::new(),
            abandoned: 0,
        };
        let mut idle = 0;
        while let Some(news) = crews.news().await {
            match news {
                News::Window { window, failures } => {
                    watch(&crews, &window);
                    for cell in &window.cells {
                        let key = (cell.series, cell.book);
                        add(told.cells.entry(key).or_insert_with(|| empty(cell.series, cell.book)), cell);
                    }
                    told.visits.extend(window.visits.iter().cloned());
                    told.failures.extend(failures);
                    told.windows.push(*window);
                }
                News::Idle { abandoned, .. } => {
                    told.abandoned += abandoned;
                    idle += 1;
                    if idle == crews.count() {
                        crews.finish();
                    }
                }
                News::Broken { crew } => panic!("worker {crew} broke"),
            }
        }
        told
    })
}
