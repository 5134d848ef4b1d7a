//! `summary.json`: what a run came to, for programs. Versioned; numbers are in base units (seconds, parts of one, per
//! second, bytes), names are the scenario's own, and nothing in it depends on a language.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::actions::{self, ActionSummary};
use super::numbers::{self, NumbersSummary};
use super::story::in_cores;
use super::summary_faults::{FaultSummary, faults};
use super::summary_search::{SearchSummary, search};
use super::users::{self, UsersSummary};
use super::watched::{self, WatchedSummary};
use super::{Model, ReportError, Words, why};
use crate::analysis::{self, Percentile, Row, Stretch};
use crate::base::units::{Lang, Span};
use crate::plan::{Bound, Measure, Plan, Quantity, Scope, Timing};
use crate::record::Unpacked;
use crate::verdict::{Judgement, Verdict};

/// Raised when a reader of an older version would misread a newer one.
pub const SUMMARY_VERSION: u32 = 1;

/// What a run of peakdrill came to. Times are seconds from the drill's start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    pub version: u32,
    pub verdict: Word,
    /// What the program exited with: 0 passed, 1 failed, 3 inconclusive, 4 aborted, 5 residue left.
    pub exit_code: u8,
    /// Why the run ended so, where the targets alone do not say it; English.
    pub causes: Vec<String>,
    pub name: String,
    pub run: Option<String>,
    pub program: Option<String>,
    /// Wall-clock time of the drill's start, UTC.
    pub started: Option<String>,
    pub profile: Option<String>,
    pub seed: u64,
    /// SHA-256 of the plan as compact JSON.
    pub plan_sha256: String,
    pub load: Option<Window>,
    /// Visits.
    pub visits: Planned,
    /// All requests of the whole load; absent when no load began.
    pub requests: Option<Figures>,
    pub steps: Vec<Figures>,
    /// Groups of steps, each as one request: they count in no sum.
    #[serde(default)]
    pub groups: Vec<Figures>,
    pub phases: Vec<PhaseFigures>,
    /// What captures keep as figures, over the whole load.
    #[serde(default)]
    pub figures: Vec<NumbersSummary>,
    pub targets: Vec<TargetSummary>,
    /// Of each load that searches for capacity.
    #[serde(default)]
    pub searches: Vec<SearchSummary>,
    /// Of each closed load.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<UsersSummary>,
    pub faults: Vec<FaultSummary>,
    /// The emergency plan's steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<ActionSummary>,
    /// What watches keep of pages, and their ratios, over the whole load.
    pub watched: Vec<WatchedSummary>,
    pub generator: GeneratorSummary,
    /// What could not be undone, and the command that removes it.
    pub residue: Vec<ResidueSummary>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    Pass,
    Fail,
    Inconclusive,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    pub from: f64,
    pub to: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    pub planned: u64,
    pub begun: u64,
    /// Begun later than the limit after their planned instant.
    pub late: u64,
}

/// A figure: `exactly` value; `more-than` value (it had not ended when watching did, or no
/// higher rate was tried); `less-than` value (not even that rate held); or `failed` (the rank falls among
/// failed requests), without a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FigureSummary {
    pub known: Known,
    pub value: Option<f64>,
    pub unit: Option<UnitName>,
    /// For people; English.
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Known {
    Exactly,
    MoreThan,
    LessThan,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UnitName {
    Seconds,
    /// Parts of one.
    Share,
    PerSecond,
    Bytes,
    /// Of CPU time, cores in use: 1.5 is one and a half.
    Cores,
    Count,
    Number,
}

/// The requests of one scope.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// The step's name, or the group's; absent for all requests.
    pub step: Option<String>,
    pub requests: u64,
    pub ok: u64,
    pub bad: u64,
    pub bad_by_kind: Vec<KindCount>,
    pub shed: u64,
    pub unsent: u64,
    pub unsent_by_kind: Vec<KindCount>,
    pub not_reached: u64,
    /// Tries that another try of the same request followed, by why; they are no requests of their own.
    #[serde(default)]
    pub tried_again: Vec<KindCount>,
    pub availability: Option<f64>,
    /// Ok requests per second.
    pub throughput: Option<f64>,
    pub percentiles: Vec<PercentileSummary>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KindCount {
    pub kind: String,
    pub count: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PercentileSummary {
    /// 0.99 for p99.
    pub q: f64,
    /// Of response; absent with too few samples.
    pub figure: Option<FigureSummary>,
    pub samples: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PhaseFigures {
    pub phase: String,
    /// Absent: the load never came to it.
    pub window: Option<Window>,
    pub requests: Option<Figures>,
    pub steps: Vec<Figures>,
    #[serde(default)]
    pub groups: Vec<Figures>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetSummary {
    pub name: String,
    pub verdict: Word,
    /// As scenarios write it: `p99`, `recovery-time`.
    pub measure: String,
    /// `step place order`; absent for all requests.
    pub scope: Option<String>,
    pub phase: Option<String>,
    pub timing: String,
    pub severity: Option<String>,
    /// Absent: no data.
    pub figure: Option<FigureSummary>,
    pub at_most: Option<f64>,
    pub at_least: Option<f64>,
    pub unit: UnitName,
    /// As a part of the bound, on the good side; negative when it misses.
    pub margin: Option<f64>,
    pub samples: u64,
    pub window: Option<Window>,
    /// A word for why; `met` and `missed` need no more.
    pub reason: String,
    /// The same as a sentence; English.
    pub explanation: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GeneratorSummary {
    pub healthy: bool,
    pub lag_p99: Option<f64>,
    pub lag_max: Option<f64>,
    pub cpu: Option<f64>,
    pub unsent: u64,
    /// The most connections that were open at once.
    pub connections: Option<u64>,
    /// Local ports that the system has for connections to one address.
    pub ports: Option<u64>,
    /// The most open files, and how many there may be.
    pub files: Option<u64>,
    pub files_limit: Option<u64>,
    /// The most resident bytes.
    pub memory: Option<u64>,
    /// Answers that were decompressed, outside of their own times; absent when none were.
    #[serde(default)]
    pub decompressed: Option<Decompressed>,
    /// What workers never handed over.
    pub missing_windows: u64,
    /// What they handed over after its second was closed.
    pub late_windows: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decompressed {
    pub answers: u64,
    /// Bytes as they came, and what they came to.
    pub packed: u64,
    pub plain: u64,
    /// How long it took.
    pub took: f64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResidueSummary {
    pub what: String,
    pub command: String,
}

pub(super) const WORDS: Words = Words::new(Lang::En);

/// The summary as data.
pub fn summary(model: &Model<'_>) -> Summary {
    let Model { plan, analysis, outcome } = *model;
    let opened = analysis.opened.as_ref();
    let generator = &analysis.generator;
    Summary {
        version: SUMMARY_VERSION,
        verdict: word(outcome.verdict),
        exit_code: outcome.exit.code(),
        causes: outcome.causes.iter().map(|cause| WORDS.cause(plan, cause)).collect(),
        name: plan.about.name.clone(),
        run: opened.map(|opened| opened.run.clone()),
        program: opened.map(|opened| opened.program.clone()),
        started: opened.map(|opened| WORDS.wall(opened.wall)),
        profile: plan.profile.clone(),
        seed: plan.seed,
        plan_sha256: plan_sha256(plan),
        load: analysis.load.map(window),
        visits: Planned { planned: generator.planned, begun: generator.released, late: generator.late },
        requests: model.total().map(|row| figures(plan, row)),
        steps: steps(plan, model.whole(), false),
        groups: steps(plan, model.whole(), true),
        phases: analysis
            .tables
            .iter()
            .filter_map(|table| {
                let phase = plan.phases.get(table.phase?.index())?;
                let all = table.rows.iter().find(|row| row.scope == Scope::All);
                Some(PhaseFigures {
                    phase: phase.name.clone(),
                    window: table.window.map(window),
                    requests: all.map(|row| figures(plan, row)),
                    steps: steps(plan, Some(table), false),
                    groups: steps(plan, Some(table), true),
                })
            })
            .collect(),
        figures: model
            .whole()
            .into_iter()
            .flat_map(|table| &table.figures)
            .filter_map(|row| numbers::summary(plan, row))
            .collect(),
        targets: outcome.targets.iter().filter_map(|judgement| target(plan, judgement)).collect(),
        faults: faults(model),
        actions: actions::summaries(model),
        watched: analysis.watched.iter().map(|figures| watched::summary(plan, figures)).collect(),
        generator: GeneratorSummary {
            healthy: model.generator_doubts().is_empty(),
            lag_p99: generator.lag_p99.map(Span::as_seconds_f64),
            lag_max: generator.lag_max.map(Span::as_seconds_f64),
            cpu: generator.cpu.map(|share| share.as_f64()),
            unsent: generator.unsent.iter().filter(|(kind, _)| !kind.is_platform()).map(|(_, count)| count).sum(),
            connections: generator.points.iter().map(|point| point.connections).max(),
            ports: generator.ports,
            files: generator.files_max,
            files_limit: generator.files_limit,
            memory: generator.memory_max,
            decompressed: decompressed(generator.unpacked),
            missing_windows: analysis.missing.len() as u64,
            late_windows: analysis.late.len() as u64,
        },
        searches: analysis.searches.iter().map(|figures| search(plan, figures)).collect(),
        users: analysis.crowds.iter().map(|figures| users::summary(plan, figures)).collect(),
        residue: analysis
            .residue
            .iter()
            .map(|residue| ResidueSummary { what: residue.what.clone(), command: residue.command.clone() })
            .collect(),
    }
}

fn decompressed(unpacked: Unpacked) -> Option<Decompressed> {
    let Unpacked { answers, packed, plain, took } = unpacked;
    (answers > 0).then(|| Decompressed { answers, packed, plain, took: took.as_seconds_f64() })
}

/// `summary.json`, indented, with a newline at its end.
pub fn summary_json(model: &Model<'_>) -> Result<Vec<u8>, ReportError> {
    let mut bytes = serde_json::to_vec_pretty(&summary(model))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The JSON Schema of `summary.json`.
pub fn summary_schema() -> serde_json::Value {
    schemars::schema_for!(Summary).to_value()
}

pub(super) fn plan_sha256(plan: &Plan) -> String {
    // A plan was read from JSON or is about to be written as it: this cannot fail, and an empty plan has its hash, too.
    let bytes = serde_json::to_vec(plan).unwrap_or_default();
    Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn word(verdict: Verdict) -> Word {
    match verdict {
        Verdict::Pass => Word::Pass,
        Verdict::Fail => Word::Fail,
        Verdict::Inconclusive => Word::Inconclusive,
    }
}

pub(super) fn window(stretch: Stretch) -> Window {
    Window { from: stretch.from.as_seconds_f64(), to: stretch.to.as_seconds_f64() }
}

fn unit(quantity: Quantity) -> UnitName {
    match quantity {
        Quantity::Span(_) => UnitName::Seconds,
        Quantity::Share(_) => UnitName::Share,
        Quantity::Rate(_) => UnitName::PerSecond,
        Quantity::Size(_) => UnitName::Bytes,
        Quantity::Count(_) => UnitName::Count,
        Quantity::Number(_) => UnitName::Number,
    }
}

pub(super) fn figure(figure: analysis::Figure) -> FigureSummary {
    let (known, quantity) = match figure {
        analysis::Figure::Exactly(quantity) => (Known::Exactly, Some(quantity)),
        analysis::Figure::MoreThan(quantity) => (Known::MoreThan, Some(quantity)),
        analysis::Figure::LessThan(quantity) => (Known::LessThan, Some(quantity)),
        analysis::Figure::Failed => (Known::Failed, None),
    };
    FigureSummary {
        known,
        value: quantity.map(Quantity::as_f64),
        unit: quantity.map(unit),
        text: WORDS.figure(figure, None),
    }
}

/// CPU is kept as a share of one core, and told in cores.
fn unit_of(measure: Measure, quantity: Quantity) -> UnitName {
    if measure == Measure::Cpu { UnitName::Cores } else { unit(quantity) }
}

fn target_figure(measure: Measure, of: analysis::Figure) -> FigureSummary {
    let told = figure(of);
    FigureSummary {
        unit: told.unit.map(|unit| if measure == Measure::Cpu { UnitName::Cores } else { unit }),
        text: if measure == Measure::Cpu { in_cores(WORDS, told.text, of.exactly()) } else { told.text },
        ..told
    }
}

/// The word that a kind is stored under.
fn kind_word<K: Serialize>(kind: &K) -> String {
    match serde_json::to_value(kind) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

fn kinds<K: Serialize>(counts: &[(K, u64)]) -> Vec<KindCount> {
    counts.iter().map(|(kind, count)| KindCount { kind: kind_word(kind), count: *count }).collect()
}

fn figures(plan: &Plan, row: &Row) -> Figures {
    Figures {
        step: match row.scope {
            Scope::Step(step) | Scope::Group(step) => plan.steps.get(step.index()).map(|step| step.name.clone()),
            _ => None,
        },
        requests: row.requests,
        ok: row.ok,
        bad: row.bad(),
        bad_by_kind: kinds(&row.bad),
        shed: row.shed,
        unsent: row.unsent(),
        unsent_by_kind: kinds(&row.unsent),
        not_reached: row.not_reached,
        tried_again: kinds(&row.again),
        availability: row.availability.map(|share| share.as_f64()),
        throughput: row.throughput.map(|rate| rate.as_per_second()),
        percentiles: row.percentiles.iter().map(percentile).collect(),
    }
}

fn percentile(percentile: &Percentile) -> PercentileSummary {
    PercentileSummary { q: percentile.q, figure: percentile.figure.map(figure), samples: percentile.samples }
}

/// Of steps, or of groups of them.
fn steps(plan: &Plan, table: Option<&analysis::Table>, groups: bool) -> Vec<Figures> {
    let rows = table.into_iter().flat_map(|table| &table.rows);
    let wanted = |row: &&Row| match row.scope {
        Scope::Step(_) => !groups,
        Scope::Group(_) => groups,
        _ => false,
    };
    rows.filter(wanted).map(|row| figures(plan, row)).collect()
}

fn target(plan: &Plan, judgement: &Judgement) -> Option<TargetSummary> {
    let target = plan.targets.get(judgement.target.index())?;
    let condition = &target.condition;
    let (at_least, at_most) = match judgement.bound {
        Bound::AtMost(most) | Bound::Below(most) => (None, Some(most)),
        Bound::AtLeast(least) | Bound::Above(least) => (Some(least), None),
        Bound::Between(least, most) => (Some(least), Some(most)),
    };
    let explanation = [WORDS.reason(plan, judgement), WORDS.detail(plan, judgement)];
    Some(TargetSummary {
        name: target.name.clone(),
        verdict: word(judgement.verdict),
        measure: condition.measure.written(plan),
        scope: condition.scope.written(plan),
        phase: condition.phase.and_then(|phase| Some(plan.phases.get(phase.index())?.name.clone())),
        timing: match condition.timing {
            Timing::Response => "response",
            Timing::Service => "service",
        }
        .to_owned(),
        severity: target.severity.clone(),
        figure: judgement.figure.map(|figure| target_figure(condition.measure, figure)),
        at_most: at_most.map(Quantity::as_f64),
        at_least: at_least.map(Quantity::as_f64),
        unit: unit_of(condition.measure, at_most.or(at_least)?),
        margin: judgement.margin.filter(|margin| margin.is_finite()),
        samples: judgement.samples,
        window: judgement.window.map(window),
        reason: why(&judgement.reason),
        explanation: explanation.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; "),
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;

    #[test]
    fn every_summary_is_valid_by_its_schema() {
        let schema = jsonschema::validator_for(&summary_schema()).unwrap();
        for sample in [Sample::mixed(), Sample::saturated(), Sample::empty()] {
            let json: serde_json::Value = serde_json::from_slice(&summary_json(&sample.model()).unwrap()).unwrap();
            let errors: Vec<String> = schema.iter_errors(&json).map(|error| error.to_string()).collect();
            assert_eq!(errors, Vec::<String>::new());
            assert_eq!(serde_json::from_value::<Summary>(json.clone()).unwrap(), summary(&sample.model()));
            let mut wrong = json;
            wrong["verdict"] = "maybe".into();
            assert!(!schema.is_valid(&wrong));
        }
    }

    #[test]
    fn cpu_is_told_in_cores() {
        let sample = Sample::mixed();
        let cpu = |summary: Summary| summary.targets.into_iter().find(|target| target.measure == "cpu").unwrap();
        let mut target = cpu(summary(&sample.model()));
        assert_eq!(target.unit, UnitName::Cores);
        let figure = target.figure.take().unwrap();
        assert_eq!(figure.unit, Some(UnitName::Cores));
        assert!(figure.text.ends_with("cores"), "{figure:?}");
    }

    #[test]
    fn a_summary_says_what_ci_asks() {
        let json: serde_json::Value = serde_json::to_value(summary(&Sample::mixed().model())).unwrap();
        assert_eq!(json["verdict"], "fail");
        assert_eq!(json["exit_code"], 1);
        insta::assert_json_snapshot!(json["targets"][2]);
    }
}
