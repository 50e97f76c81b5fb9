//! The known name that is most like an unknown one.
//!
//! Not a verdict: there always is a nearest one, and whoever reads the message decides.

use strsim::normalized_damerau_levenshtein as likeness_of_texts;

/// Returns the known path that is most like the unknown one; the first of several that are alike.
///
/// A known path is compared whole, without its leading tables, and by its last name, because a key in the
/// wrong table is as common a mistake as a wrong letter.
pub(super) fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> &'a str {
    let mut best: Option<(&str, f64)> = None;
    for path in known {
        let likeness = likeness(unknown, path);
        if best.is_none_or(|(_, most)| likeness > most) {
            best = Some((path, likeness));
        }
    }
    best.map_or("", |(path, _)| path)
}

fn likeness(unknown: &str, path: &str) -> f64 {
    let whole = likeness_of_texts(unknown, path);
    let end = ends(path).map(|end| END_WEIGHT * likeness_of_texts(unknown, end)).fold(0.0, f64::max);
    let ((unknown_table, unknown_name), (table, name)) = (table_and_name(unknown), table_and_name(path));
    let parts =
        NAME_WEIGHT * likeness_of_texts(unknown_name, name) + TABLE_WEIGHT * likeness_of_texts(unknown_table, table);
    // Without a table of its own the unknown name says nothing about tables.
    if unknown_table.is_empty() { whole.max(end) } else { whole.max(end).max(parts) }
}

/// Returns the path without its first table, without its first two, and so on.
fn ends(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('.').filter_map(|(dot, _)| path.get(dot + 1..))
}

fn table_and_name(path: &str) -> (&str, &str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

// A part that fits counts less than a whole that fits as well.
const END_WEIGHT: f64 = 0.85;
const NAME_WEIGHT: f64 = 0.7;
const TABLE_WEIGHT: f64 = 0.15;

#[cfg(test)]
mod tests {
    use super::super::raw::KEYS;
    use super::nearest;

    #[test]
    fn a_mistake_leads_to_what_was_meant() {
        for (unknown, expected) in [
            ("ingest.lisen", "ingest.listen"),
            ("ingest_listen", "ingest.listen"),
            ("injest.listen", "ingest.listen"),
            ("admin.lisetn", "admin.listen"),
            ("admin.address", "admin.listen"),
            ("max_body_bytes", "ingest.max_body_bytes"),
            ("ingest.max_body", "ingest.max_body_bytes"),
            ("log.max_age", "log.retention.max_age"),
            ("retention.max_age", "log.retention.max_age"),
            ("capture.max_age", "ingest.capture.max_age"),
            ("deliver.max_in_flight", "deliver.in_flight_max"),
            ("deliver.retries", "deliver.retry_schedule"),
            ("deliver.timeout_ms", "deliver.timeout"),
            ("log.format", "logs.format"),
            ("log.filter", "logs.filter"),
            ("logs.durability", "log.durability"),
            ("tls.certificate", "ingest.tls.certificate"),
            ("admin.certificate", "admin.tls.certificate"),
            ("ingest.token", "ingest.tokens"),
            ("data_dir", "data"),
            ("shutdown", "shutdown_timeout"),
            ("security.keyfile", "security.key_file"),
        ] {
            assert_eq!(nearest(unknown, KEYS.iter().map(|key| key.path)), expected, "{unknown}");
        }
    }

    #[test]
    fn there_always_is_a_nearest() {
        assert_eq!(nearest("", ["a", "b"]), "a");
        assert_eq!(nearest("日本", ["a", "b"]), "a");
    }
}
