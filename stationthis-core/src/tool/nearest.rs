//! What was probably meant: the known names nearest to one that is not known.

/// Longer texts are no typing mistakes of a name, and the distance takes the product of both lengths.
const MAX_CHARS: usize = 64;

/// How many single changes (a letter more, less, other, or two neighbours swapped) lie between two texts; `None` when
/// more than `limit`.
fn distance(a: &[char], b: &[char], limit: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    // Three rows of the table: the one before the last is needed for swaps.
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous_a = None;
    for (row, &from) in a.iter().enumerate() {
        let mut current = Vec::with_capacity(b.len() + 1);
        current.push(row + 1);
        let mut previous_b = None;
        for (column, &to) in b.iter().enumerate() {
            let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX - 1);
            let mut best = at(&last, column) + usize::from(from != to);
            best = best.min(at(&last, column + 1) + 1).min(at(&current, column) + 1);
            if column > 0 && previous_a == Some(to) && previous_b == Some(from) {
                best = best.min(at(&before, column - 1) + 1);
            }
            current.push(best);
            previous_b = Some(to);
        }
        previous_a = Some(from);
        before = std::mem::replace(&mut last, current);
    }
    last.last().copied().filter(|found| *found <= limit)
}

/// Up to `count` of `known` that are near to `text`, the nearest first, letter case aside; among equals the first in
/// the alphabet. Near is: a third of the letters changed at most, or one being the start of the other.
pub(crate) fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>, count: usize) -> Vec<&'a str> {
    let wanted: Vec<char> = text.chars().flat_map(char::to_lowercase).take(MAX_CHARS + 1).collect();
    if wanted.is_empty() || wanted.len() > MAX_CHARS {
        return Vec::new();
    }
    let limit = (wanted.len() / 3).clamp(1, 4);
    let mut found: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|name| {
            let letters: Vec<char> = name.chars().flat_map(char::to_lowercase).take(MAX_CHARS).collect();
            // Two letters say too little to be the start of a name.
            let starts = wanted.len() > 2 && letters.len() > 2;
            let starts = starts && (letters.starts_with(&wanted) || wanted.starts_with(&letters));
            distance(&wanted, &letters, limit).or(starts.then_some(limit + 1)).map(|far| (far, name))
        })
        .collect();
    found.sort_unstable();
    found.truncate(count);
    found.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_distance(a: &str, b: &str, expected: usize) {
        let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
        assert_eq!(distance(&a, &b, 9), Some(expected));
        assert_eq!(distance(&b, &a, 9), Some(expected));
        assert_eq!(distance(&a, &b, expected), Some(expected));
        assert!(expected == 0 || distance(&a, &b, expected - 1).is_none());
    }

    #[test]
    fn distances_count_single_changes() {
        check_distance("", "", 0);
        check_distance("", "abc", 3);
        check_distance("steps", "stpes", 1);
        check_distance("steps", "step", 1);
        check_distance("kitten", "sitting", 3);
        check_distance("größe", "grösse", 2);
    }

    #[test]
    fn only_near_names_are_suggested() {
        let known = ["steps", "seed", "prompt", "negative_prompt"];
        assert_eq!(nearest("stpes", known, 1), ["steps"]);
        assert_eq!(nearest("PROMT", known, 1), ["prompt"]);
        assert_eq!(nearest("neg", known, 3), ["negative_prompt"]);
        assert!(nearest("width", known, 3).is_empty());
        assert!(nearest("", known, 3).is_empty());
        assert!(nearest(&"steps".repeat(20), known, 3).is_empty());
    }
}
