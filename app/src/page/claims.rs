//! The note's claims, each with its verdict: what can be counted at once, what can be measured
//! when the visitor asks.

use std::collections::VecDeque;

use js_sys::ArrayBuffer;
use leptos::prelude::*;
use leptos::task::spawn_local;
use lnsp::device::DeviceChoice;
use lnsp::experiment::claims::{Finding, GROUPS, Method, Standing, counted, method};
use lnsp::note::{CLAIMS, Claim, Place};
use lnsp::number::decimal;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;

use super::address::Address;
use super::download;
use super::html::{Markup, escape};
use super::job::{Job, JobBar};
use super::lane::Lane;
use super::named::Named;
use super::number;
use crate::protocol::{Failure, TestClaim};
use crate::widget::Host;

/// Seconds of samples behind each figure.
const SECONDS: f64 = 0.3;
/// The bundled vectors, for claims that train; fetched when one is tested.
const VECTORS: &str = "./data/vectors_train_20k.safetensors";
/// What that file sends.
const VECTORS_MB: &str = "15.4 MB";
/// Of these, so many are trained on.
const MOST_VECTORS: usize = 2000;

/// What was found, by the claim's name.
type Findings = Named<Finding>;

/// The view.
#[component]
pub fn Claims() -> impl IntoView {
    view! {
        <h2>"Claims"</h2>
        <ClaimList />
    }
}

/// The claims, and what can be done about them.
#[component]
pub fn ClaimList() -> impl IntoView {
    let address = Address::use_it();
    let tests = Tests::new();
    let cache = address.text("cache", "");
    // A widget may show some of them.
    let some = address.text("claims", "");
    let host = use_context::<Host>();
    let findings = move || tests.findings(cache_bytes(&cache.get()));
    if let Some(host) = host {
        host.follow(tests.job);
        let tell = move || host.tell("result", &listed(&findings(), &some.get()));
        Effect::new(tell);
        host.on_run(move || {
            tests.all();
            // Whoever asked hears something, too, where nothing is to be measured.
            if !tests.job.running_now() {
                untrack(tell);
            }
        });
    }
    let shown =
        move || Shown { some: some.get(), running: tests.job.running(), trains: host.is_none() };
    view! {
        <p class="lead">
            "What the note claims, and what comes of it when it is counted or measured on this \
             device. " {move || meaning(&findings())}
        </p>
        <p class="aside">
            "Where the note spoke of its MacBook M4, another machine proves it neither right nor \
             wrong: both figures stand side by side."
        </p>
        <div class="row">
            <button type="button" id="test-all" disabled=move || tests.job.running()
                on:click=move |_| tests.all()>"Measure all that need no download"</button>
            <button type="button" on:click=move |_| {
                let all = untrack(|| listed(&findings(), &some.get()));
                download::save_text("lnsp-claims.json", "application/json", &download::json(&all));
            }>"Save JSON"</button>
            <JobBar job=tests.job />
        </div>
        <form class="controls" hidden=move || !is_listed("l3-cache", &some.get())
            on:submit=|event| event.prevent_default()>
            <label>"Last cache of your processor, MB "
                <input type="number" id="cache" min="0" step="any" prop:value=cache
                    on:change=move |event| address.set("cache", &event_target_value(&event), "") />
            </label>
        </form>
        <div on:click=move |event| tests.click(&event)>
            <Markup class="claims" label="Claims of the note"
                html=move || html(&findings(), &shown()) />
        </div>
    }
}

/// How the list is shown.
struct Shown {
    /// Beginnings of the claims' names, all if empty.
    some: String,
    running: bool,
    /// Whether those can be tested that need the bundled vectors.
    trains: bool,
}

/// Whether `some` (beginnings of names, separated by commas) names the claim; all if empty.
fn is_listed(id: &str, some: &str) -> bool {
    some.is_empty() || some.split(',').any(|start| id.starts_with(start.trim()))
}

/// What was found of the claims that `some` names.
fn listed(findings: &Findings, some: &str) -> Vec<Finding> {
    let listed = findings.iter().filter(|(id, _)| is_listed(id, some));
    listed.map(|(_, one)| one.clone()).collect()
}

/// Bytes of the megabytes that the visitor wrote.
fn cache_bytes(text: &str) -> Option<u64> {
    number::read(text).map(|mb| (1e6 * mb) as u64)
}

/// The tests of this visit.
#[derive(Clone, Copy)]
struct Tests {
    address: Address,
    job: Job,
    measured: RwSignal<Findings>,
}

impl Tests {
    fn new() -> Self {
        Self {
            address: Address::use_it(),
            job: Job::new(Lane::CLAIMS),
            measured: RwSignal::default(),
        }
    }

    /// Everything known: what can be counted, and what was measured.
    fn findings(self, cache: Option<u64>) -> Findings {
        let counted = CLAIMS.iter().filter_map(|claim| counted(claim, cache));
        let mut all = self.measured.get();
        for one in counted {
            all.set(&one.id.clone(), one);
        }
        all
    }

    /// One listener for all buttons: the list is written as text.
    fn click(self, event: &web_sys::MouseEvent) {
        let target = event.target().and_then(|t| t.dyn_into::<web_sys::HtmlElement>().ok());
        let id = target.and_then(|element| element.dataset().get("claim"));
        let claim = CLAIMS.iter().find(|claim| Some(claim.id) == id.as_deref());
        let Some(claim) = claim else { return };
        if method(claim) == Method::Train {
            self.train(claim);
        } else {
            self.test(VecDeque::from([claim]));
        }
    }

    fn all(self) {
        let some = untrack(|| self.address.word("claims"));
        let wanted = |c: &&Claim| method(c) == Method::Measure && is_listed(c.id, &some);
        self.test(CLAIMS.iter().filter(wanted).collect());
    }

    fn question(self, claim: &Claim) -> TestClaim {
        TestClaim {
            id: claim.id.into(),
            device: untrack(|| self.address.read("device", DeviceChoice::Auto).to_string()),
            seconds: SECONDS,
            vectors: MOST_VECTORS,
        }
    }

    fn keep(self, finding: Finding) {
        self.measured.update(|all| {
            all.set(&finding.id.clone(), finding);
        });
    }

    /// One claim after the other, until one is stopped.
    fn test(self, mut claims: VecDeque<&'static Claim>) {
        // A widget's element may go while a claim is measured.
        let Some(claim) = claims.pop_front().filter(|_| !self.measured.is_disposed()) else {
            return;
        };
        self.job.run(self.question(claim), move |outcome| {
            let stopped = matches!(outcome, Err(Failure::Cancelled));
            if let Ok(finding) = outcome {
                self.keep(finding);
            }
            if !stopped {
                self.test(claims);
            }
        });
    }

    /// Fetches the vectors and trains.
    fn train(self, claim: &'static Claim) {
        spawn_local(async move {
            let outcome = vectors().await;
            match outcome {
                Ok(buffer) => self.job.run_with(self.question(claim), &[buffer], move |outcome| {
                    if let Ok(finding) = outcome {
                        self.keep(finding);
                    }
                }),
                Err(failure) => self.job.fail(failure),
            }
        });
    }
}

/// The bundled vectors, as they are sent.
async fn vectors() -> Result<ArrayBuffer, Failure> {
    let failed = |_| Failure::Error(format!("{VECTORS} could not be fetched; are you offline?"));
    let response = JsFuture::from(window().fetch_with_str(VECTORS)).await.map_err(failed)?;
    let response: web_sys::Response = response.dyn_into().map_err(failed)?;
    if !response.ok() {
        return Err(Failure::Error(format!("{VECTORS}: the server says {}", response.status())));
    }
    let bytes = JsFuture::from(response.array_buffer().map_err(failed)?).await.map_err(failed)?;
    bytes.dyn_into().map_err(failed)
}

/// What the list means, in a sentence.
fn meaning(findings: &Findings) -> String {
    let of = |standing| findings.iter().filter(|(_, one)| one.standing == standing).count();
    let open = CLAIMS.len() - findings.iter().len();
    format!(
        "Of {} claims: {} hold, {} do not, {} about another device, {} with nothing to compare, \
         {open} to be measured.",
        CLAIMS.len(),
        of(Standing::Holds),
        of(Standing::Fails),
        of(Standing::OtherDevice),
        of(Standing::CannotCompare)
    )
}

fn html(findings: &Findings, shown: &Shown) -> String {
    let mut out = String::new();
    for (title, prefixes) in GROUPS {
        let of_group = |claim: &&Claim| {
            prefixes.iter().any(|p| claim.id.starts_with(p)) && is_listed(claim.id, &shown.some)
        };
        for (i, claim) in CLAIMS.iter().filter(of_group).enumerate() {
            if i == 0 {
                out += &format!("<h3>{title}</h3>");
            }
            out += &item(claim, findings.get(claim.id), shown);
        }
    }
    out
}

/// What a claim says in plain words; its own words stand below.
fn title(claim: &Claim) -> String {
    let s = claim.width.unwrap_or_default();
    let figure = claim.figure.map(short).unwrap_or_default();
    let kind = claim.id.trim_end_matches(|c: char| c.is_ascii_digit());
    match if matches!(claim.id, "next-step-320" | "sweet-spot-256") { claim.id } else { kind } {
        "inference-ratings-a" => "Family A: the wider, the slower, as rated".into(),
        "inference-ratings-b" => "Family B: the wider, the slower, as rated".into(),
        "tune-20k" => "20,000 vectors suffice to tune the training".into(),
        "next-step-320" => format!("S = {s} keeps a little more than S = 256"),
        "next-step-quality" => "The wider the student, the more it keeps".into(),
        "maximum-beyond" => "Beyond S = 1024 is for research, or where cost is no matter".into(),
        "parameters-tables" => "The parameters that the tables give".into(),
        "parameters-sizes" => "The sizes in MB that the tables give".into(),
        "parameters-formula" => "A formula for the parameters of family B".into(),
        "law-memory-tables" => "The memory in training that the tables give".into(),
        "sweet-spot-256" => format!("S = {s} is likely the best for its author's use"),
        "inference-" => format!("One vector takes {figure} ms at S = {s}"),
        "training-memory-" => format!("Training at S = {s} takes {figure} MB of memory"),
        "training-time-20k" => format!("Training on 20,000 vectors takes {figure} minutes"),
        "training-time-220k" => format!("Training on 220,000 vectors takes {figure} minutes"),
        "law-latency" => "Twice the width takes twice the time".into(),
        "law-memory" => format!("Training takes {figure} times the memory that the model takes"),
        "full-attention" => format!("{figure} times faster than full attention"),
        "mobile" => "Fast enough for real time on a phone".into(),
        "transformer-layer" => format!("{figure} times smaller than a layer of a transformer"),
        "gpt" => format!("{figure} times smaller than comparable GPT models"),
        "parameters-" => format!("S = {s} has {figure} times the parameters of S = 256"),
        "sn727-size" => format!("The student SN727 weighs {figure} MB"),
        "sn727-memory" => format!("Training SN727 takes {figure} MB of memory"),
        "sn727-stability" => format!("Training again hardly changes the result (CV {figure})"),
        "sn727-score" => format!("SN727 scores {figure}"),
        "l3-cache" => "The student fits into the processor's last cache".into(),
        "next-step-" => format!("S = {s} is the natural next step"),
        "sweet-spot-" => format!("S = {s} is the best trade of quality for cost"),
        "maximum-" => format!("S = {s} is the largest that makes sense"),
        "goldilocks" => format!("S = {s} is neither too small nor too large"),
        "ceiling-" => format!("S = {s} will not reach a limit of quality soon"),
        "specialised-" => format!("S = {s} suits specialised domains"),
        "phase-" => format!("The plan, step {}", claim.id.trim_start_matches("phase-")),
        "tune-first" => "Tune the training before making the student larger".into(),
        _ => claim.statement.into(),
    }
}

fn item(claim: &Claim, finding: Option<&Finding>, shown: &Shown) -> String {
    let title = escape(&title(claim));
    let mut facts = vec![format!("The note: “{}”", claim.statement)];
    if !matches!(claim.place, Place::Arithmetic | Place::Unstated) {
        facts.push(format!("measured on a {}", claim.place));
    }
    if !claim.reading.is_empty() {
        facts.push(format!("we read it so: {}", claim.reading));
    }
    let mut out = format!(
        "<article class=\"claim\" id=\"claim-{}\"><h4>{title}</h4><p class=\"aside\">{}.</p>",
        claim.id,
        escape(&facts.join("; "))
    );
    match finding {
        Some(finding) => out += &result(finding),
        None => out += "<p class=\"verdict open\">not measured yet</p>",
    }
    let disabled = if shown.running { " disabled" } else { "" };
    let label = match method(claim) {
        Method::Measure => "Measure here".to_string(),
        Method::Train if shown.trains => format!("Train here (fetches {VECTORS_MB})"),
        _ => return out + "</article>",
    };
    out + &format!(
        "<p class=\"buttons\"><button type=\"button\" id=\"test-{0}\" data-claim=\"{0}\" \
         aria-label=\"{label}: {title}\"{disabled}>{label}</button></p></article>",
        claim.id
    )
}

fn result(finding: &Finding) -> String {
    let class = match finding.standing {
        Standing::Holds => "ok",
        Standing::Fails => "off",
        Standing::OtherDevice | Standing::CannotCompare => "open",
    };
    let figures = match (finding.note, finding.ours) {
        (Some(note), Some(ours)) => {
            format!(": the note {}, here {} {}", short(note), short(ours), finding.unit)
        }
        (None, Some(ours)) => format!(": {} {}", short(ours), finding.unit),
        _ => String::new(),
    };
    let device = match finding.device.as_str() {
        "" => String::new(),
        device => format!(" <span class=\"aside\">({})</span>", escape(device)),
    };
    format!(
        "<p class=\"verdict {class}\">{}{}{device}</p><p>{}</p>",
        finding.standing.words(),
        escape(&figures),
        with_code(&finding.words)
    )
}

/// The words as they stand in HTML; what is between backquotes, as code.
fn with_code(words: &str) -> String {
    let escaped = escape(words);
    let parts = escaped.split('`').enumerate();
    parts
        .map(|(i, part)| if i % 2 == 1 { format!("<code>{part}</code>") } else { part.into() })
        .collect()
}

/// Three digits or so.
fn short(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 100.0 || v == 0.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        v if v >= 0.01 => 3,
        _ => 5,
    };
    let text = decimal(value, digits);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_claim_stands_in_one_group() {
        for claim in CLAIMS {
            let groups =
                GROUPS.iter().filter(|(_, all)| all.iter().any(|p| claim.id.starts_with(p)));
            assert_eq!(groups.count(), 1, "{}", claim.id);
        }
    }

    #[test]
    fn every_claim_has_a_title_of_its_own() {
        let titles: Vec<String> = CLAIMS.iter().map(title).collect();
        for (i, one) in titles.iter().enumerate() {
            assert!(!titles[..i].contains(one), "{one}");
            assert_ne!(one, CLAIMS[i].statement);
        }
    }

    #[test]
    fn commands_stand_out() {
        assert_eq!(with_code("a<b, see `lnsp note`."), "a&lt;b, see <code>lnsp note</code>.");
    }

    #[test]
    fn a_widget_lists_claims_by_the_beginnings_of_their_names() {
        let listed = |some: &str| CLAIMS.iter().filter(|c| is_listed(c.id, some)).count();
        assert_eq!((listed(""), listed("none-such")), (CLAIMS.len(), 0));
        assert_eq!(listed("gpt, l3-cache"), 2);
    }

    #[test]
    fn figures_are_short_and_a_cache_is_read() {
        assert_eq!([25.0, 0.1, 0.029, 2.2].map(short), ["25", "0.1", "0.029", "2.2"]);
        assert_eq!(cache_bytes("16"), Some(16_000_000));
        assert_eq!(cache_bytes("4.5"), Some(4_500_000));
        assert_eq!(cache_bytes("-1"), None);
        assert_eq!(cache_bytes("x.y"), None);
    }
}
