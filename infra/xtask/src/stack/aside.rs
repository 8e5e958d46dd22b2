//! Settings of a service with some tables set aside, for a while.

/// What is set aside stays in the file as a comment, and is there again when it is not set aside any more.
const ASIDE: &str = "#aside# ";

/// Settings without these tables. What follows a table's head belongs to it until the next head.
pub(super) fn without(settings: &str, tables: &[&str]) -> String {
    let mut aside = false;
    let line = |line: &str| {
        let line = line.strip_prefix(ASIDE).unwrap_or(line);
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            aside = tables.contains(&name);
        }
        format!("{}{line}\n", if aside { ASIDE } else { "" })
    };
    settings.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_set_aside_and_comes_back() {
        let settings = "first = 1\n[one]\na = 1\n[one.two]\nb = 2\n[three]\nc = 3\n";
        let changed = without(settings, &["one"]);
        assert_eq!(changed, "first = 1\n#aside# [one]\n#aside# a = 1\n[one.two]\nb = 2\n[three]\nc = 3\n");
        assert_eq!(without(&changed, &[]), settings);
        assert_eq!(without(&changed, &["three"]), settings.replace("[three]\nc", "#aside# [three]\n#aside# c"));
    }
}
