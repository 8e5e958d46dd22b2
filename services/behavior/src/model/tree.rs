//! One decision tree, as a table of nodes in which a child stands after its parent: a walk always ends.

use serde::Deserialize;

use crate::features::{Feature, Features};

/// As it is written: feature (none for a leaf), threshold, lower child, upper child, value.
#[derive(Debug, Deserialize)]
pub(super) struct Written(Option<usize>, f64, usize, usize, f64);

#[derive(Debug, Clone, Copy)]
struct Node {
    /// What an inner node asks for.
    split: Option<Split>,
    /// What the leaves below it say on average of the payments that it was trained on; what a leaf says.
    value: f64,
}

#[derive(Debug, Clone, Copy)]
struct Split {
    feature: Feature,
    threshold: f64,
    /// Where it goes on for a value up to the threshold, and above it.
    children: [usize; 2],
}

/// A tree that was checked: every walk begins at its first node and ends at a leaf.
#[derive(Debug, Clone)]
pub(super) struct Tree(Vec<Node>);

impl Tree {
    /// Checks a tree; the nodes name features by their place in `features`.
    pub(super) fn new(nodes: &[Written], features: &[Feature]) -> Result<Self, &'static str> {
        if nodes.is_empty() {
            return Err("it has no node");
        }
        let nodes = nodes.iter().enumerate().map(|(place, Written(feature, threshold, lower, upper, value))| {
            let split = match feature {
                None => None,
                Some(_) if place >= *lower.min(upper) => return Err("a child stands before its parent"),
                Some(_) if nodes.len() <= *lower.max(upper) => return Err("a child is missing"),
                Some(feature) => Some(Split {
                    feature: *features.get(*feature).ok_or("a feature is missing")?,
                    threshold: *threshold,
                    children: [*lower, *upper],
                }),
            };
            Ok(Node { split, value: *value })
        });
        Ok(Self(nodes.collect::<Result<_, _>>()?))
    }

    /// What it says before anything is asked.
    pub(super) fn root(&self) -> f64 {
        self.0.first().map_or(0.0, |node| node.value) // Default: cannot be, there is a node
    }

    /// Goes down to the leaf that these features lead to. `moved` hears of each step which feature was asked and how much the value changed by the answer.
    pub(super) fn walk(&self, features: &Features, mut moved: impl FnMut(Feature, f64)) {
        let mut here = self.0.first();
        while let Some((node, split)) = here.and_then(|node| Some((node, node.split?))) {
            let [lower, upper] = split.children;
            here = self.0.get(if features.get(split.feature) <= split.threshold { lower } else { upper });
            if let Some(child) = here {
                moved(split.feature, child.value - node.value);
            }
        }
    }
}
