//! Another model or other rules, tried beside those that judge. What they would have said of each payment is stored with its decision, from the same features,
//! and nothing comes of it: whoever writes rules sees what they would do to real payments before they do it.

pub(crate) mod store;
