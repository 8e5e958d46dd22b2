//! The trained part: an ensemble of small decision trees, read from a file.
//!
//! The file says which features it asks for and by which version of them it was trained. What does not fit this build is refused when it is read, never guessed.

use serde::Deserialize;

use crate::features::{self, Feature, Features};

mod tree;

use tree::Tree;

/// Nothing larger is read.
const FILE_LIMIT: usize = 4 << 20;
/// No model has more trees.
const TREES: usize = 1_000;

/// Why a model was refused.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// It is larger than [`FILE_LIMIT`].
    #[error("the model has {0} bytes; at most {FILE_LIMIT} are read")]
    Size(usize),
    /// It is no model.
    #[error("the model cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
    /// It was trained for another version of the features.
    #[error("model \"{name}\" was trained on version {theirs} of the features, this build has version {ours}: train it anew, or run the build that it was trained for", ours = features::VERSION)]
    Version {
        /// The model's name.
        name: String,
        /// The version of the features that it was trained on.
        theirs: u32,
    },
    /// It asks for something that nobody here can tell.
    #[error("model \"{name}\" asks for the feature \"{feature}\", which this build does not have")]
    Unknown {
        /// The model's name.
        name: String,
        /// What it asks for.
        feature: String,
    },
    /// One of its trees is none.
    #[error("model \"{name}\", tree {tree}: {why}")]
    Tree {
        /// The model's name.
        name: String,
        /// Which tree, from 0.
        tree: usize,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// A trained model: the odds that a payment is fraud, as a sum of what its trees say.
#[derive(Debug, Clone)]
pub struct Model {
    name: String,
    /// What it says of a payment before it asks anything.
    base: f64,
    trees: Vec<Tree>,
}

/// What the file has.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    /// How it was made: for the reader.
    #[serde(rename = "trained")]
    _trained: serde_json::Value,
    features_version: u32,
    features: Vec<String>,
    base: f64,
    trees: Vec<Vec<tree::Written>>,
}

/// What a model says of one payment.
#[derive(Debug, Clone, PartialEq)]
pub struct Opinion {
    /// The natural logarithm of the odds of fraud.
    pub log_odds: f64,
    /// How much each feature moved them from what the model says of payments in general.
    pub moved: Vec<(Feature, f64)>,
}

impl Model {
    /// Reads a model.
    ///
    /// # Errors
    /// [`ModelError`]: it is too large, malformed, or made for other features than this build has.
    pub fn read(json: &[u8]) -> Result<Self, ModelError> {
        if json.len() > FILE_LIMIT {
            return Err(ModelError::Size(json.len()));
        }
        let File { name, features_version, features, base, trees, .. } = serde_json::from_slice(json)?;
        if features_version != features::VERSION {
            return Err(ModelError::Version { name, theirs: features_version });
        }
        let known = features.iter().map(|feature| Feature::named(feature).ok_or(feature));
        let features = match known.collect::<Result<Vec<_>, _>>() {
            Ok(features) => features,
            Err(feature) => return Err(ModelError::Unknown { name, feature: feature.clone() }),
        };
        if trees.len() > TREES {
            return Err(ModelError::Tree { name, tree: TREES, why: "there are more trees than anybody can explain" });
        }
        let trees = trees.into_iter().enumerate().map(|(tree, nodes)| {
            Tree::new(&nodes, &features).map_err(|why| ModelError::Tree { name: name.clone(), tree, why })
        });
        let trees = trees.collect::<Result<Vec<Tree>, _>>()?;
        let base = base + trees.iter().map(Tree::root).sum::<f64>();
        Ok(Self { name, base, trees })
    }

    /// Its name, with which decisions are stored.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it says of a payment with these features.
    #[must_use]
    pub fn judge(&self, features: &Features) -> Opinion {
        let mut moved = [0.0; features::COUNT];
        for tree in &self.trees {
            tree.walk(features, |feature, difference| {
                // Default: there is a place for each feature.
                if let Some(moved) = moved.get_mut(feature as usize) {
                    *moved += difference;
                }
            });
        }
        let log_odds = self.base + moved.iter().sum::<f64>();
        let moved = Feature::ALL.into_iter().zip(moved).filter(|(_, difference)| difference.abs() > 0.0);
        Opinion { log_odds, moved: moved.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two trees; each line of nodes: feature, threshold, lower child, upper child, value. A leaf asks for nothing.
    const MODEL: &str = r#"{"name": "test", "trained": {}, "features_version": 3, "features": ["amount", "payee_count"], "base": -4.0,
        "trees": [[[0, 100.0, 1, 2, 0.5], [null, 0.0, 0, 0, -1.0], [1, 0.0, 3, 4, 2.0], [null, 0.0, 0, 0, 3.0], [null, 0.0, 0, 0, 1.0]],
                  [[null, 0.0, 0, 0, 0.25]]]}"#;

    fn refusal(change: impl Fn(&str) -> String) -> String {
        match Model::read(change(MODEL).as_bytes()) {
            Ok(_) => "it was read".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    fn features(amount: f64) -> Features {
        let payment = crate::events::Payment { at: 0, user: 1, payee: 2, amount };
        crate::profiles::Profiles::default().look_at(&payment, crate::events::Origin::default())
    }

    #[test]
    fn each_leaf_counts_and_what_moved_it_adds_up() {
        let model = Model::read(MODEL.as_bytes()).expect("it is a model");
        let cheap = model.judge(&features(100.0));
        assert_eq!((cheap.log_odds, cheap.moved), (-4.75, vec![(Feature::Amount, -1.5)]), "100 is not above 100");
        let dear = model.judge(&features(100.01));
        assert_eq!((dear.log_odds, dear.moved), (-0.75, vec![(Feature::Amount, 1.5), (Feature::PayeeCount, 1.0)]));
    }

    #[test]
    fn a_model_for_other_features_is_refused_by_name_with_both_versions() {
        let ours = features::VERSION;
        let this = format!("\"features_version\": {ours}");
        let other = refusal(|model| model.replace(&this, "\"features_version\": 77"));
        let why = format!("\"test\" was trained on version 77 of the features, this build has version {ours}");
        assert!(other.contains(&why), "{other}");
        let unknown = refusal(|model| model.replace("payee_count", "shoe_size"));
        assert!(unknown.contains("asks for the feature \"shoe_size\""), "{unknown}");
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        let refused = |from: &str, to: &str| refusal(|model| model.replace(from, to));
        for (from, to, why) in [
            ("[0, 100.0, 1, 2, 0.5]", "[0, 100.0, 0, 2, 0.5]", "a child stands before its parent"),
            ("[0, 100.0, 1, 2, 0.5]", "[0, 100.0, 1, 9, 0.5]", "a child is missing"),
            ("[0, 100.0, 1, 2, 0.5]", "[5, 100.0, 1, 2, 0.5]", "a feature is missing"),
            ("[[null, 0.0, 0, 0, 0.25]]", "[]", "it has no node"),
            ("100.0", "1e999", "number out of range"),
            ("\"base\"", "\"bias\"", "unknown field"),
        ] {
            let said = refused(from, to);
            assert!(said.contains(why), "{to}: {said}");
        }
        assert!(matches!(Model::read(&vec![b' '; FILE_LIMIT + 1]), Err(ModelError::Size(_))));
    }
}
