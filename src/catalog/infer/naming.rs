//! What a name says: its words, what to call it in two languages, the unit of its numbers.
//!
//! Not a translation: a draft that somebody reads and writes anew.

/// Returns the words of a name in small letters: `previousDurationMs` has three.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut rest = name.chars().peekable();
    let mut before = ' ';
    while let Some(character) = rest.next() {
        if !character.is_alphanumeric() {
            before = ' ';
            continue;
        }
        let is_first = !before.is_alphanumeric()
            || (character.is_uppercase()
                && (!before.is_uppercase() || rest.peek().is_some_and(|after| after.is_lowercase())));
        match words.last_mut() {
            Some(word) if !is_first => word.extend(character.to_lowercase()),
            Some(_) | None => words.push(character.to_lowercase().collect()),
        }
        before = character;
    }
    words
}

/// Returns what to call a field, in English and French: the name's words, and its object's where it is one word.
pub(super) fn titles(path: &str) -> (String, String) {
    let mut names = path.rsplit('.');
    let mut all = words(names.next().unwrap_or_default());
    if all.len() == 1
        && let Some(parent) = names.next()
    {
        all.splice(0..0, words(parent));
    }
    let meaning = MEANINGS.iter().find(|meaning| all.len() > 1 && all.last().is_some_and(|last| last == meaning.word));
    match meaning {
        Some(Meaning { en, fr, .. }) => {
            all.pop();
            let stem = all.join(" ");
            (capitalised(&format!("{stem} {en}")), capitalised(&format!("{stem} ({fr})")))
        }
        None => (capitalised(&all.join(" ")), capitalised(&all.join(" "))),
    }
}

/// Returns what to call a type: `call.blind_transferred` is "Call blind transferred".
pub(super) fn type_title(name: &str) -> String {
    let title = capitalised(&words(name).join(" "));
    if title.is_empty() { name.to_owned() } else { title }
}

/// Returns the unit that a name ends in.
pub(super) fn unit(path: &str) -> Option<&'static str> {
    let last = words(path.rsplit('.').next().unwrap_or_default()).pop()?;
    UNITS.iter().find(|(word, _)| *word == last).map(|(_, unit)| *unit)
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// What the last word of a name stands for.
struct Meaning {
    word: &'static str,
    en: &'static str,
    fr: &'static str,
}

const fn meaning(word: &'static str, en: &'static str, fr: &'static str) -> Meaning {
    Meaning { word, en, fr }
}

const MEANINGS: &[Meaning] = &[
    meaning("ms", "duration", "durée"),
    meaning("pct", "percentage", "pourcentage"),
    meaning("id", "id", "identifiant"),
    meaning("ids", "ids", "identifiants"),
    meaning("ref", "reference", "référence"),
    meaning("refs", "references", "références"),
    meaning("at", "time", "date"),
    meaning("no", "number", "numéro"),
    meaning("number", "number", "numéro"),
    meaning("count", "count", "nombre"),
    meaning("name", "name", "nom"),
    meaning("reason", "reason", "motif"),
    meaning("kind", "kind", "nature"),
    meaning("type", "type", "type"),
    meaning("status", "status", "statut"),
    meaning("url", "link", "lien"),
    meaning("text", "text", "texte"),
    meaning("email", "e-mail", "e-mail"),
];

const UNITS: &[(&str, &str)] = &[
    ("ms", "ms"),
    ("millis", "ms"),
    ("s", "s"),
    ("sec", "s"),
    ("secs", "s"),
    ("seconds", "s"),
    ("minutes", "min"),
    ("hours", "h"),
    ("days", "d"),
    ("pct", "%"),
    ("percent", "%"),
    ("bytes", "bytes"),
    ("characters", "characters"),
];

#[cfg(test)]
mod tests {
    use super::{titles, type_title, unit, words};

    #[test]
    fn names_fall_into_words() {
        let check = |name: &str, expected: &str| assert_eq!(words(name).join(" "), expected, "{name}");
        check("previousDurationMs", "previous duration ms");
        check("smsURLCount", "sms url count");
        check("first_name-2", "first name 2");
        check("address2line", "address2line");
        check("", "");
    }

    #[test]
    fn a_field_is_called_after_its_words() {
        let check = |path: &str, en: &str, fr: &str| assert_eq!(titles(path), (en.to_owned(), fr.to_owned()), "{path}");
        check("ringMs", "Ring duration", "Ring (durée)");
        check("shop.id", "Shop id", "Shop (identifiant)");
        check("shop.openedAt", "Opened time", "Opened (date)");
        check("ms", "Ms", "Ms");
        check("a.b.kilnTemperature", "Kiln temperature", "Kiln temperature");
        assert_eq!(type_title("call.blind_transferred"), "Call blind transferred");
        assert_eq!(type_title("..."), "...");
    }

    #[test]
    fn units_stand_at_the_end() {
        assert_eq!(unit("kpi.averageWaitMs"), Some("ms"));
        assert_eq!(unit("kpi.slaPct"), Some("%"));
        assert_eq!(unit("forms"), None);
        assert_eq!(unit("ms.alpha"), None);
    }
}
