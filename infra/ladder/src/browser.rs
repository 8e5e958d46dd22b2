//! The browser of those tests that look at pages as people do.

/// What Chromium is called where it is installed, in the order in which it is looked for.
pub const CHROMIUM: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
