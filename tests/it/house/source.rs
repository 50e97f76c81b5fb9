//! A Rust file as words: what is code, what is a comment, what is a literal.
//!
//! Not a grammar: it knows how comments, strings, characters and lifetimes begin and end, and no more.

/// What a character of the file belongs to.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum Kind {
    Code,
    Comment,
    Literal,
}

/// A word or a mark of the code, with the line it stands in.
#[derive(Debug, PartialEq, Eq, Clone)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) line: usize,
}

/// Returns what each character of the text belongs to.
pub(super) fn kinds(text: &str) -> Vec<(char, Kind)> {
    let characters: Vec<char> = text.chars().collect();
    let mut kinds = Vec::with_capacity(characters.len());
    let mut rest = characters.as_slice();
    let mut is_in_name = false;
    while let Some(&first) = rest.first() {
        let (length, kind) = next_piece(rest, is_in_name);
        let (piece, after) = rest.split_at(length.min(rest.len()));
        kinds.extend(piece.iter().map(|&character| (character, kind)));
        is_in_name = kind == Kind::Code && is_of_a_name(first);
        rest = after;
    }
    kinds
}

/// Returns the words and marks of the code, without comments and literals. `::` is one mark.
pub(super) fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut line = 1;
    let mut before = ' ';
    for (character, kind) in kinds(text) {
        let is_code = kind == Kind::Code && !character.is_whitespace();
        let is_continued = is_code
            && ((is_of_a_name(character) && is_of_a_name(before))
                || (character == ':' && before == ':' && words.last().is_some_and(|word| word.text == ":")));
        match words.last_mut() {
            Some(word) if is_continued => word.text.push(character),
            _ if is_code => words.push(Word { text: character.to_string(), line }),
            _ => {}
        }
        before = if is_code { character } else { ' ' };
        line += usize::from(character == '\n');
    }
    words
}

/// Returns how many characters belong together here, and to what.
fn next_piece(rest: &[char], is_in_name: bool) -> (usize, Kind) {
    match rest {
        ['/', '/', ..] => (rest.iter().take_while(|&&character| character != '\n').count(), Kind::Comment),
        ['/', '*', ..] => (block_comment_length(rest), Kind::Comment),
        ['"', ..] => (quoted_length(rest, '"'), Kind::Literal),
        ['r', '"' | '#', ..] if !is_in_name => raw_string(rest, 1),
        ['b' | 'c', 'r', '"' | '#', ..] if !is_in_name => raw_string(rest, 2),
        ['\'', '\\', ..] => (quoted_length(rest, '\''), Kind::Literal),
        ['\'', _, '\'', ..] => (3, Kind::Literal),
        _ => (1, Kind::Code),
    }
}

fn block_comment_length(rest: &[char]) -> usize {
    let (mut at, mut depth) = (0, 0);
    loop {
        match rest.get(at..).unwrap_or_default() {
            [] => return at,
            ['/', '*', ..] => (at, depth) = (at + 2, depth + 1),
            ['*', '/', ..] if depth == 1 => return at + 2,
            ['*', '/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
    }
}

fn quoted_length(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    loop {
        match rest.get(at) {
            None => return at,
            Some('\\') => at += 2,
            Some(&character) if character == quote => return at + 1,
            Some(_) => at += 1,
        }
    }
}

/// A raw string, or a raw name such as `r#type`, which is code.
fn raw_string(rest: &[char], prefix: usize) -> (usize, Kind) {
    let hashes = rest.iter().skip(prefix).take_while(|&&character| character == '#').count();
    let start = prefix + hashes + 1;
    if rest.get(start - 1) != Some(&'"') {
        return (1, Kind::Code);
    }
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let body = rest.get(start..).unwrap_or_default();
    let length = body.windows(end.len()).position(|window| window == end.as_slice());
    (length.map_or(rest.len(), |length| start + length + end.len()), Kind::Literal)
}

/// Tells whether a name may contain the character.
pub(super) fn is_of_a_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[test]
fn comments_and_literals_are_no_code() {
    let check = |text: &str, expected: &str| {
        let found: Vec<String> = words(text).into_iter().map(|word| word.text).collect();
        assert_eq!(found.join(" "), expected, "{text}");
    };
    check("use crate::log; // crate::web", "use crate :: log ;");
    check("/* a /* crate::x */ crate::y */ b", "b");
    check("a /* never closed", "a");
    check(r#"f("crate::x \" // y", z)"#, "f ( , z )");
    check(r###"f(r#"a " crate::x"#, br"\", cr##"x"#"##, g)"###, "f ( , , , g )");
    check("r#type::x", "r # type :: x");
    check("bar\"x\" cr", "bar cr");
    check("f('\"', '\\'', b'\\\\', '/')", "f ( , , b , )");
    check("fn f<'a>(x: &'a str)", "fn f < ' a > ( x : & ' a str )");
    check("a: :: b ::c", "a : :: b :: c");
}

#[test]
fn words_know_their_line() {
    let found: Vec<(String, usize)> =
        words("a\n// b\n\"c\nd\" e\n/* f\n */ g").into_iter().map(|word| (word.text, word.line)).collect();
    assert_eq!(found, [("a".to_owned(), 1), ("e".to_owned(), 4), ("g".to_owned(), 6)]);
}
