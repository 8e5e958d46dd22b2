//! How well the edge alone, what stands in the service's own process alone, and both of them tell attacks from what people write. The figures stand in
//! docs/performance.md; what is asked for here is a little less.

use testkit::edge::{self, Edge};
use testkit::server::Server;
use testkit::waf::{self, Outcome, Trial, corpus, held_out, in_process};

use crate::Scene;

/// As `rules.conf`, without what knows the API's fields.
const WITHOUT_FIELDS: &str = "Include {{directory}}/modsecurity.conf\nInclude {{directory}}/crs-setup.conf\n\
    Include {{directory}}/before-crs.conf\n{{initialization}}\n{{crs}}\nInclude {{directory}}/after-crs.conf\n";

/// The engines, apart and one behind the other.
struct Engines {
    scene: Scene,
    inner: Server,
    /// The edge before it.
    front: String,
    _edge: Edge,
}

impl Engines {
    async fn start() -> Option<Self> {
        let scene = Scene::start(None).await?;
        let inner = in_process::start(&scene.pki).await.unwrap();
        let (edge, port) = edge::start(&scene.software, &scene.pki, inner.address().port(), None);
        Some(Self { scene, inner, front: format!("https://localhost:{port}"), _edge: edge })
    }

    /// The edge alone, in process alone, both.
    async fn measure(&self, trials: &[Trial]) -> [Outcome; 3] {
        let [edge, inner] = [&self.scene.front, &self.inner.url()];
        let measure = async |url: &str| waf::measure(&self.scene.http, url, trials).await.unwrap();
        [measure(edge).await, measure(inner).await, measure(&self.front).await]
    }
}

fn said(what: &str, [edge, inner, both]: &[Outcome; 3]) -> String {
    let lines = [("the edge alone", edge), ("in process alone", inner), ("both", both)]
        .map(|(name, outcome)| format!("{what}, {name}:\n{outcome}\n  honest, and refused: {:?}\n", outcome.offended));
    lines.concat()
}

/// What one engine refuses the two together refuse.
fn is_sum([edge, inner, both]: &[Outcome; 3]) -> bool {
    let least = edge.all.stopped.max(inner.all.stopped);
    both.all.stopped >= least && both.all.offended <= edge.all.offended + inner.all.offended
}

/// Whoever changes a rule because of what this prints has tuned on it: docs/performance.md says then what it was before.
#[tokio::test]
async fn texts_that_no_rule_was_written_with() {
    let Some(engines) = Engines::start().await else { return };
    let Some((sources, honest)) = held_out::texts() else { return };
    let mut outcomes = engines.measure(&waf::trials_with(&[], &honest)).await;
    for source in &sources {
        let mut trials = waf::trials_with(&source.attacks, &honest);
        trials.retain(|trial| trial.attack);
        let of_source = engines.measure(&trials).await;
        let counts = of_source.each_ref().map(|outcome| (outcome.all.stopped, outcome.all.attacks));
        println!("{} ({} texts): edge, in process, both: {counts:?}", source.name, source.attacks.len());
        for (all, this) in outcomes.iter_mut().zip(of_source) {
            all.absorb(this);
        }
    }
    println!("{}", said(&format!("held out ({} honest texts)", honest.texts.len()), &outcomes));
    let texts: usize = sources.iter().map(|source| source.attacks.len()).sum();
    assert!(texts > 500 && honest.texts.len() > 1_000 && is_sum(&outcomes), "{}", outcomes[2]);
    let both = &outcomes[2];
    assert!(both.all.balanced_accuracy() > 0.95 && both.prose.balanced_accuracy() > 0.95, "{both}");
}

#[tokio::test]
async fn attacks_are_told_from_what_people_write() {
    let Some(engines) = Engines::start().await else { return };
    let Some(cases) = corpus::read().unwrap() else { return };
    let scene = &engines.scene;
    let rules = corpus::rules(&scene.software.rules).unwrap();
    let enforced = corpus::attacks(&cases, |rule| rules.get(&rule) == Some(&1));
    let outcomes = engines.measure(&waf::trials(&enforced)).await;
    println!(
        "{}",
        said(&format!("attacks of rules that are installed at paranoia 1 ({} texts)", enforced.len()), &outcomes)
    );
    let [outcome, inner, both] = &outcomes;
    assert!(is_sum(&outcomes) && inner.all.stopped > 0 && both.all.balanced_accuracy() > 0.95, "{both}");
    // Whatever a rule of any version finds at any paranoia, fragments too: for comparison, in one field, and nobody promises anything.
    let any = corpus::attacks(&cases, |_| true);
    let mut wide = waf::trials(&any);
    wide.retain(|trial| trial.field == "transfer: reference");
    let wide = waf::measure(&scene.http, &scene.front, &wide).await.unwrap();
    println!("the same; attacks of every rule at every paranoia ({} texts), in one field:\n{wide}", any.len());
    assert!(enforced.len() > 500 && outcome.prose.honest > 500, "{outcome}");
    assert!(outcome.all.balanced_accuracy() > 0.95 && outcome.prose.balanced_accuracy() > 0.95, "{outcome}");
    // What the rules for our own fields are worth, in the field that has most of them.
    let plain = Scene::start(Some(WITHOUT_FIELDS)).await.unwrap();
    let one_field =
        waf::trials(&enforced).into_iter().filter(|trial| trial.attack && trial.field == "transfer: reference");
    let honest = waf::trials(&[]).into_iter().filter(|trial| trial.prose);
    let plain = waf::measure(&plain.http, &plain.front, &one_field.chain(honest).collect::<Vec<_>>()).await.unwrap();
    println!("the first row without `fields.conf`, attacks in one field:\n{plain}");
    assert!(plain.all.balanced_accuracy() < outcome.prose.balanced_accuracy(), "{plain}");
    // Nothing stands before the stand-in: everything reaches it, so it was the edge.
    let without = waf::measure(&scene.http, &scene.stand_in.url(), &waf::trials(&enforced[..50])).await.unwrap();
    assert_eq!((without.all.stopped, without.all.offended), (0, 0));
}
