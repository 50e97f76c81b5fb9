//! Preparing: a decision table is checked, and written anew with an index, so that nothing is read before an event.
//!
//! It runs where a table is made and not in the sandbox. An instance lives for one batch, and often the batch is one
//! event: a component that checked and indexed its table itself would do that far more often than a table changes.
//!
//! ```text
//! rights/1 <key>                  64 lower-case hexadecimal digits
//! types <count> <mark>            the mark of every type that is not listed
//! <type> <mark>                   sorted; a type or a prefix such as call.*
//! fields <selector> <count> <t>   the first selector is *, the others are sorted
//! <path> <own><below>             sorted
//! ```

use std::collections::HashMap;

use crate::Error;
use crate::fields::{self, Step};
use crate::number::{LIMIT, Letters, letters};
use crate::table::{FORM, HEAD_BYTES, Mark};
use crate::treatment::Treatment;

/// Makes of a decision table what the component is configured with.
///
/// # Shape
/// The key stands in the first line of both, behind nine bytes, and nowhere else.
/// # Errors
/// [`Error::Table`] where a line has not the form that the counts before it ask for, or is out of order.
pub fn prepare(table: &str) -> Result<String, Error> {
    let lines = Lines::find(table)?;
    let key = lines.get(0)?.strip_prefix("rights/1 ").filter(|key| is_key(key.as_bytes()));
    let key = key.ok_or_else(|| error(0, "rights/1 and a key of 64 digits"))?;
    let (types, other_types, mut next) = types(&lines)?;
    let mut sections: Vec<Section<'_>> = Vec::new();
    while next < lines.count() || sections.is_empty() {
        let (section, behind) = section(&lines, next)?;
        match sections.last() {
            None if section.selector != "*" => return Err(error(next, "the section *")),
            Some(last) if last.selector >= section.selector => return Err(error(next, "a later selector")),
            None | Some(_) => {}
        }
        sections.push(section);
        next = behind;
    }
    write(key, &types, other_types, &sections).ok_or_else(|| error(0, "a table of less than 16 MiB"))
}

/// A section whose lines are in order.
struct Section<'t> {
    selector: &'t str,
    rest: Treatment,
    tree: Tree<'t>,
}

/// The paths of a section. The root, then the others as they were added: parents before children.
struct Tree<'t> {
    nodes: Vec<Node<'t>>,
    by_step: HashMap<(usize, &'t str), usize>,
}

struct Node<'t> {
    parent: usize,
    /// The last step of the path.
    step: &'t str,
    own: Treatment,
    below: Treatment,
    has_lines: bool,
}

impl<'t> Tree<'t> {
    fn new(rest: Treatment) -> Self {
        let root = Node { parent: 0, step: "", own: rest, below: rest, has_lines: false };
        Self { nodes: vec![root], by_step: HashMap::new() }
    }

    /// Adds the line of a path. False: the path, or one below it, has already been added.
    fn add(&mut self, path: &'t str, own: Treatment, below: Treatment) -> bool {
        let (parents, last) = path.rsplit_once('.').map_or((None, path), |(parents, last)| (Some(parents), last));
        let parent = parents.into_iter().flat_map(|parents| parents.split('.')).fold(0, |parent, step| {
            let inherited = self.nodes.get(parent).map_or(Treatment::Remove, |parent| parent.below);
            self.by_step.get(&(parent, step)).copied().unwrap_or_else(|| self.push(parent, step, inherited, inherited))
        });
        let is_new = !self.by_step.contains_key(&(parent, last));
        if is_new {
            self.push(parent, last, own, below);
        }
        is_new
    }

    fn push(&mut self, parent: usize, step: &'t str, own: Treatment, below: Treatment) -> usize {
        let node = self.nodes.len();
        if let Some(parent) = self.nodes.get_mut(parent) {
            parent.has_lines = true;
        }
        self.nodes.push(Node { parent, step, own, below, has_lines: false });
        self.by_step.insert((parent, step), node);
        node
    }

    /// Returns how many chains there are: a power of two, about twice as many as nodes.
    fn chains(&self) -> usize {
        (2 * (self.nodes.len() - 1)).next_power_of_two()
    }
}

/// Writes a table with its index; none where it is too large for the numbers in it.
fn write(key: &str, types: &[(&str, Mark)], other_types: Mark, sections: &[Section<'_>]) -> Option<String> {
    let mut text = String::with_capacity(16 * 1024);
    text.extend([FORM, key, "\n"]);
    debug_assert_eq!(text.len(), HEAD_BYTES, "the place of the index is known beforehand");
    text.extend([letters(types.len())?.as_str(), letters(sections.len())?.as_str(), other_types.as_str(), "\n"]);
    // One place more than there are types: the last is where the sections begin.
    let mut at = text.len() + NUMBER_BYTES * (types.len() + 1) + 1 + NUMBER_BYTES * sections.len() + 1;
    for bytes in types.iter().map(|(name, _)| name.len() + TYPE_BYTES).chain([0]) {
        text.push_str(letters(at)?.as_str());
        at += bytes;
    }
    text.push('\n');
    for section in sections {
        text.push_str(letters(at)?.as_str());
        at += section_bytes(section);
    }
    text.push('\n');
    for (name, mark) in types {
        text.extend([name, " ", mark.as_str(), "\n"]);
    }
    sections.iter().try_for_each(|section| write_section(section, &mut text))?;
    debug_assert_eq!(text.len(), at, "everything stands where the index says");
    (text.len() < LIMIT).then_some(text)
}

fn section_bytes(Section { selector, tree, .. }: &Section<'_>) -> usize {
    let nodes: usize = tree.nodes.iter().skip(1).map(|node| fields::NODE_BYTES + node.step.len() + 1).sum();
    selector.len() + SECTION_BYTES + NUMBER_BYTES * tree.chains() + 1 + nodes
}

fn write_section(Section { selector, rest, tree }: &Section<'_>, text: &mut String) -> Option<()> {
    let has_lines = tree.nodes.len() > 1;
    let mut chains = vec![letters(0)?; tree.chains()];
    text.extend([selector, " ", letters(chains.len())?.as_str(), rest.as_str(), sign(has_lines), "\n"]);
    let mut at = text.len() + NUMBER_BYTES * chains.len() + 1;
    let mut places = vec![letters(0)?];
    let mut nodes = String::new();
    for node in tree.nodes.iter().skip(1) {
        let (place, parent) = (letters(at)?, *places.get(node.parent)?);
        let chain = chains.get_mut(Step::new(node.step.as_bytes()).hash(parent) & (tree.chains() - 1))?;
        let next = std::mem::replace(chain, place);
        let length = letters(node.step.len())?;
        nodes.extend([parent.as_str(), next.as_str(), length.as_str()]);
        nodes.extend([node.own.as_str(), node.below.as_str(), sign(node.has_lines), node.step, "\n"]);
        at += fields::NODE_BYTES + node.step.len() + 1;
        places.push(place);
    }
    text.extend(chains.iter().map(Letters::as_str));
    text.extend(["\n", nodes.as_str()]);
    Some(())
}

const fn sign(is_so: bool) -> &'static str {
    if is_so { "+" } else { "-" }
}

/// The lines of a text, each of which has an end.
struct Lines<'t>(Vec<&'t str>);

impl<'t> Lines<'t> {
    fn find(text: &'t str) -> Result<Self, Error> {
        let mut lines: Vec<&str> = text.split('\n').collect();
        match lines.pop() {
            Some("") if !lines.is_empty() => Ok(Self(lines)),
            _ => Err(error(lines.len(), "the end of a line")),
        }
    }

    fn count(&self) -> usize {
        self.0.len()
    }

    fn get(&self, line: usize) -> Result<&'t str, Error> {
        self.0.get(line).copied().ok_or_else(|| error(line, "another line"))
    }
}

/// Reads the marks of types: those that are listed, that of the others, and the line behind them.
#[expect(clippy::type_complexity, reason = "three things that stand beside each other in the text")]
fn types<'t>(lines: &Lines<'t>) -> Result<(Vec<(&'t str, Mark)>, Mark, usize), Error> {
    let heading = lines.get(1)?.strip_prefix("types ").and_then(|rest| rest.rsplit_once(' '));
    let heading = heading.and_then(|(count, mark)| Some((number(count)?, mark_of(mark)?)));
    let (count, other_types) = heading.ok_or_else(|| error(1, "types, a count and a mark"))?;
    let mut types: Vec<(&str, Mark)> = Vec::new();
    for line in 2..2 + count {
        let listed = lines.get(line)?.rsplit_once(' ').and_then(|(name, mark)| Some((name, mark_of(mark)?)));
        let listed = listed.ok_or_else(|| error(line, "a type and a mark"))?;
        if types.last().is_some_and(|last| last.0 >= listed.0) {
            return Err(error(line, "a later type"));
        }
        types.push(listed);
    }
    Ok((types, other_types, 2 + count))
}

/// Reads the section whose heading is this line, and says which line is behind it.
fn section<'t>(lines: &Lines<'t>, heading: usize) -> Result<(Section<'t>, usize), Error> {
    let expected = || error(heading, "fields, a selector, a count and a treatment");
    let words: Vec<&str> = lines.get(heading)?.split(' ').collect();
    let ["fields", selector, count, rest] = *words else { return Err(expected()) };
    let count = number(count).ok_or_else(expected)?;
    let [rest] = *rest.as_bytes() else { return Err(expected()) };
    let rest = Treatment::from_letter(rest).ok_or_else(expected)?;
    let mut tree = Tree::new(rest);
    for line in heading + 1..=heading + count {
        let (path, own, below) = field(lines.get(line)?).ok_or_else(|| error(line, "a path and two treatments"))?;
        if !tree.add(path, own, below) {
            return Err(error(line, "a later path"));
        }
    }
    Ok((Section { selector, rest, tree }, heading + count + 1))
}

fn mark_of(text: &str) -> Option<Mark> {
    let [mark] = *text.as_bytes() else { return None };
    Mark::from_byte(mark)
}

fn field(line: &str) -> Option<(&str, Treatment, Treatment)> {
    let (path, treatments) = line.rsplit_once(' ')?;
    let [own, below] = *treatments.as_bytes() else { return None };
    Some((path, Treatment::from_letter(own)?, Treatment::from_letter(below)?))
}

/// Reads a count. A million lines are more than any table has, and too few to overflow.
fn number(digits: &str) -> Option<usize> {
    let is_number = (1..=6).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

fn is_key(digits: &[u8]) -> bool {
    digits.len() == 64 && digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

#[cold]
const fn error(line: usize, expected: &'static str) -> Error {
    Error::Table { line: line + 1, expected }
}

const NUMBER_BYTES: usize = size_of::<Letters>();
/// Of the line of a type, beside its name: a space, the mark, the end.
const TYPE_BYTES: usize = 3;
/// Of the first line of a section, beside its selector: a space, the count of chains, a treatment, a sign, the end.
const SECTION_BYTES: usize = 1 + NUMBER_BYTES + 3;
